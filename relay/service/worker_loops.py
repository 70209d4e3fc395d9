"""The worker's two threads, and the steps that each repeats.

Thread `sorting` runs ingest, digest and housekeeping and reads the clock once per iteration. Thread `delivery` runs the
outbox. They are apart so that a slow upstream never delays ingest. `/livez` and `/readyz` use these two names.

A thread with nothing to do sleeps until something is due or it is woken: `sorting` by the receiver and by commands
(`wakeup`), `delivery` by a new digest and by commands. Every few seconds it looks without a reason, so a lost wake-up
delays a mail but loses none.

A failure that may pass (a ledger that is locked or has no space, a spool that cannot be read) is logged, shown by
`/readyz` and retried. Any other failure ends both threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from relay.clock import utc_now
from relay.config import Settings
from relay.data_dir import DataDir
from relay.deliver import open_target
from relay.digest import Digests
from relay.errors import LedgerBusy, RelayError, SpoolError
from relay.housekeeping import Housekeeping
from relay.ingest.step import Ingest
from relay.ledger import Ledger, sqlite_file
from relay.model import UpstreamKey
from relay.model.histogram import Histogram
from relay.outbox.check import UpstreamCheck
from relay.outbox.step import Outbox
from relay.service.assembly import make_renderer
from relay.service.waker import LEDGER
from relay.service.wakeup import Wakeup
from relay.spool import PoisonGuard, SpoolReader
from relay.web import Vitals

log = structlog.get_logger()

SETTLE_PAUSE = 0.1
"""Seconds after work was done in which a thread does not react to wake-ups: mails that come in quick succession share a
transaction."""
POLL = 5.0
"""Seconds after which a sleeping thread looks without a reason."""
SHARED_POLL = 1.0
"""The same for `sorting` with a ledger that other machines change too: they cannot wake this one, and it may hold the
lease under which their mails are reported. Messages are delivered where they were enqueued, so `delivery` can wait."""
MARGIN = 0.01
"""Seconds to sleep beyond a due time, so that it has come."""
MAX_MAIL_SECONDS = 4.0
"""Seconds that one mail may take; after that the worker sends no more heartbeats, and the supervisor kills it."""
RETRY_PAUSE = 1.0
"""Seconds to wait while the ledger is locked or unreachable, or the spool cannot be read."""
SHOWN_AFTER = 5.0
"""Seconds after which `/readyz` shows a failure; a shorter one is normal."""
LOG_INTERVAL = 60.0
"""Seconds between two log lines about the same failure."""


class FailureLog:
    """Logs the failure of one part: when it begins, once a minute while it lasts, and when it is over."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._since: float | None = None
        self._logged_at = 0.0
        self._text = ""

    def failed(self, error: RelayError | OSError) -> None:
        """Record that the last attempt failed with `error`."""
        now = time.monotonic()
        if self._since is None or now - self._logged_at >= LOG_INTERVAL:
            log.warning("storage fails; trying again", part=self._part, why=str(error), every=f"{RETRY_PAUSE:g}s")
            self._logged_at = now
        self._since, self._text = self._since or now, str(error)

    def succeeded(self) -> None:
        """Record that the last attempt succeeded."""
        if self._since is not None:
            log.info("storage works again", part=self._part, after=f"{time.monotonic() - self._since:.0f}s")
        self._since = None

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._since is not None

    @property
    def lasting(self) -> str:
        """The text of a failure that has lasted for SHOWN_AFTER seconds; "" if there is none."""
        since = self._since
        return self._text if since is not None and time.monotonic() - since >= SHOWN_AFTER else ""


_PARTS = {"sorting": "ledger", "delivery": "ledger", "spool": "spool"}
"""The part that each failure log is about: a failure of a thread is one of the ledger."""


class Worker:
    """All steps of one worker on one data directory and one ledger."""

    def __init__(self, settings: Settings, ledger: Ledger, name: str, wakeup: Wakeup) -> None:
        """Build the steps; `name` is this worker's name, the same after restarts. Raises TemplateError."""
        self._wakeup = wakeup
        self._delivery_wakeup = threading.Event()
        self._sorting_poll = POLL if sqlite_file(settings.storage.ledger_url) else SHARED_POLL
        data_dir = DataDir(settings.storage.data_dir)
        self._data_dir = data_dir
        self._reader = SpoolReader(data_dir.spool)
        self._target = open_target(settings)
        self._ingest = Ingest(self._reader, PoisonGuard(data_dir.spool), ledger, settings, data_dir.quarantine)
        self._digests = Digests(ledger, make_renderer(settings), settings, name)
        self._outbox = Outbox(ledger, self._target, settings, name, lambda: random.uniform(-1, 1))  # noqa: S311 -- jitter
        self._check = UpstreamCheck(ledger, self._target, settings, name, lambda: random.uniform(-1, 1))  # noqa: S311 -- jitter
        self._housekeeping = Housekeeping(ledger, self._reader, settings)
        self._upstream = UpstreamKey(worker=name, target=settings.upstream.target)
        self._stop = threading.Event()
        self._failures = {name: FailureLog(part) for name, part in _PARTS.items()}
        # A reader of its own counts the backlog: it remembers what it counted, and only one page may use it at a time.
        self._backlog_reader = SpoolReader(data_dir.spool)
        self._backlog_lock = threading.Lock()
        self._backlog = 0
        self.failure: BaseException | None = None
        """The error that ended a thread; None while both run."""
        self._last_run = dict.fromkeys(("sorting", "delivery"), time.monotonic())

    def healthy(self) -> bool:
        """Whether the worker is not stuck on one mail."""
        since = self._ingest.busy_since
        return since is None or time.monotonic() - since < MAX_MAIL_SECONDS

    def vitals(self) -> Vitals:
        """Return what the pages show about this process and the receiver."""
        seen_at, counters, reply_seconds = _receiver_counters(self._data_dir)
        now = time.monotonic()
        return Vitals(
            idle_seconds={name: now - at for name, at in self._last_run.items()},
            longest_delivery=self._target.max_duration.total_seconds(),
            backlog=self._count_backlog(),
            receiver_seen_at=seen_at,
            receiver_counters=counters,
            reply_seconds=reply_seconds,
            ingest_seconds=self._ingest.seconds,
            failures={_PARTS[name]: text for name, failure in self._failures.items() if (text := failure.lasting)},
            damaged=(len(self._reader.damage), sum(self._reader.damage.values())),
            upstream=self._upstream,
            free_bytes=_free_bytes(self._data_dir),
        )

    def _count_backlog(self) -> int:
        """Return the number of mails that wait in the spool; the last known one if the spool cannot be read."""
        with self._backlog_lock, contextlib.suppress(SpoolError):
            self._backlog = self._backlog_reader.waiting(self._ingest.ingested_to)
        return self._backlog

    def stop(self) -> None:
        """Let both threads end after the running step; abort a delivery that has not reached its final dot."""
        self._stop.set()
        self._wakeup.wake()
        self._delivery_wakeup.set()
        self._target.abort()

    def run(self) -> bool:
        """Work until `stop()`; return False if a thread failed."""
        threads = [
            threading.Thread(target=self._loop, args=each, name=each[0])
            for each in (
                ("sorting", self._sorting_steps, self._sleep_sorting),
                ("delivery", self._delivery_steps, self._sleep_delivery),
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.failure is None

    def _sorting_steps(self) -> bool:
        now = utc_now()
        busy, caught_up = self._ingest_batch(now)
        if self._digests.step(now, caught_up=caught_up):
            busy = True
            self._delivery_wakeup.set()
        return busy | self._housekeeping.step(now)

    def _delivery_steps(self) -> bool:
        return self._outbox.step(utc_now()) or self._check.step(utc_now())

    def _sleep_sorting(self) -> None:
        seconds = _seconds_until(self._digests.next_step_at, self._sorting_poll)
        if self._failures["spool"].failing:
            seconds = RETRY_PAUSE
        if not self._wakeup.audible:
            seconds = min(seconds, SETTLE_PAUSE)
        if LEDGER in self._wakeup.wait(seconds):
            self._delivery_wakeup.set()

    def _sleep_delivery(self) -> None:
        self._delivery_wakeup.wait(_seconds_until(self._outbox.next_step_at, POLL))
        self._delivery_wakeup.clear()

    def _ingest_batch(self, now: datetime) -> tuple[bool, bool]:
        """Ingest a batch; return whether there was one, and whether the spool is ingested to its end.

        A spool that cannot be read is no error here: digests of what is pending go on.
        """
        try:
            busy = self._ingest.step(now)
        except SpoolError as error:
            self._failures["spool"].failed(error)
            return False, False
        self._failures["spool"].succeeded()
        return busy, self._ingest.caught_up

    def _loop(self, name: str, steps: Callable[[], bool], sleep: Callable[[], None]) -> None:
        was_busy = False
        try:
            while not self._stop.is_set():
                outcome = self._run_steps(name, steps)
                self._last_run[name] = time.monotonic()
                if outcome is None:
                    self._stop.wait(RETRY_PAUSE)
                elif was_busy and not outcome:
                    self._stop.wait(SETTLE_PAUSE)
                elif not outcome:
                    sleep()
                was_busy = bool(outcome)
        except BaseException as error:
            log.critical("the worker stops: a thread failed", thread=name, exc_info=not isinstance(error, RelayError))
            self.failure = error
            self.stop()

    def _run_steps(self, name: str, steps: Callable[[], bool]) -> bool | None:
        """Run the steps once; return whether there was something to do, None if they failed."""
        try:
            busy = steps()
        except (LedgerBusy, OSError) as error:
            self._failures[name].failed(error)
            return None
        self._failures[name].succeeded()
        return busy


def _seconds_until(due: datetime | None, poll: float) -> float:
    """Return how long a thread may sleep, at most `poll`: its next step is due at `due`, None if not foreseeable."""
    if due is None:
        return poll
    return min(poll, max(0.0, (due - utc_now()).total_seconds()) + MARGIN)


def _free_bytes(data_dir: DataDir) -> int | None:
    """Return the bytes that the relay may still write to the disk of the data directory; None if unknown."""
    try:
        found = os.statvfs(data_dir.root)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def _receiver_counters(data_dir: DataDir) -> tuple[datetime | None, dict[str, float], Histogram | None]:
    """Return when the receiver last published its counters, the counters, and its times to 250.

    They are None, {} and None if it never did; a receiver of an earlier release publishes no times.
    """
    try:
        values = json.loads(data_dir.receiver_counters.read_text("utf-8"))
        at = datetime.fromtimestamp(data_dir.receiver_counters.stat().st_mtime, utc_now().tzinfo)
        times = values.pop("reply_seconds", None)
        return at, dict(_flatten("", values)), Histogram(**times) if times else None
    except (OSError, ValueError):
        return None, {}, None


def _flatten(prefix: str, values: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the numbers in nested tables, each under the names of its tables joined by `_`."""
    found: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _flatten(f"{prefix}{name}_", value)
        elif name != "pid" and isinstance(value, int | float):
            found.append((prefix + name, value))
    return found
