"""The worker's two threads and the steps they take, again and again.

So that a slow upstream never keeps mail from being sorted there are two: `sorting` (sort, then digest, then
housekeeping, each turn reading the clock once) and `delivery` (outbox). What passes by itself (a ledger that is locked
or out of room, a spool that cannot be read) is waited for and named; anything else ends both threads.
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
from relay.ledger import Ledger
from relay.outbox.step import Outbox
from relay.service.assembly import make_renderer
from relay.spool import PoisonGuard, SpoolReader
from relay.web import Vitals

log = structlog.get_logger()

TURN = 0.1
"""Seconds between two looks where there was nothing to do."""
LONGEST_MAIL = 4.0
"""Seconds one mail may be looked at before the worker stops giving signs of life."""
BUSY_PAUSE = 1.0
"""Seconds to wait while the ledger is locked or out of reach, or the spool cannot be read."""
LASTING = 5.0
"""Seconds after which what stands in the way is a trouble to be shown, not a moment's."""
LOG_EVERY = 60.0
"""Seconds between two lines about the same trouble."""


class FailureLog:
    """What stands in one part's way, told when it begins, once a minute while it lasts, and when it is over."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._since: float | None = None
        self._told_at = 0.0
        self._words = ""

    def met(self, error: RelayError | OSError) -> None:
        """It is there (still)."""
        now = time.monotonic()
        if self._since is None or now - self._told_at >= LOG_EVERY:
            log.warning("there is trouble; trying again", part=self._part, why=str(error), every=f"{BUSY_PAUSE:g}s")
            self._told_at = now
        self._since, self._words = self._since or now, str(error)

    def over(self) -> None:
        """All went well."""
        if self._since is not None:
            log.info("the trouble is over", part=self._part, after=f"{time.monotonic() - self._since:.0f}s")
        self._since = None

    @property
    def lasting(self) -> str:
        """What it is, in words, once it has lasted; else ""."""
        since = self._since
        return self._words if since is not None and time.monotonic() - since >= LASTING else ""


_PARTS = {"sorting": "ledger", "delivery": "ledger", "spool": "spool"}
"""What each trouble is about: those of the threads are the ledger's."""


class Worker:
    """All steps of one worker on one data directory and one ledger."""

    def __init__(self, settings: Settings, ledger: Ledger, name: str) -> None:
        """Put the steps together; `name` is this worker's own, over restarts. Raises TemplateError."""
        data_dir = DataDir(settings.storage.data_dir)
        self._data_dir = data_dir
        self._reader = SpoolReader(data_dir.spool)
        self._target = open_target(settings)
        self._sort = Ingest(self._reader, PoisonGuard(data_dir.spool), ledger, settings, data_dir.quarantine)
        self._digests = Digests(ledger, make_renderer(settings), settings, name)
        self._outbox = Outbox(ledger, self._target, settings, name, lambda: random.uniform(-1, 1))  # noqa: S311 -- jitter
        self._housekeeping = Housekeeping(ledger, self._reader, settings)
        self._stop = threading.Event()
        self._troubles = {name: FailureLog(part) for name, part in _PARTS.items()}
        self._backlog = SpoolReader(data_dir.spool)  # remembers what it counted; the pages' threads ask it in turn
        self._counting = threading.Lock()
        self._waiting = 0
        self.failure: BaseException | None = None
        """What ended a thread, None while nothing has."""
        self._turned = dict.fromkeys(("sorting", "delivery"), time.monotonic())

    def well(self) -> bool:
        """Whether no mail has been looked at for too long."""
        since = self._sort.busy_since
        return since is None or time.monotonic() - since < LONGEST_MAIL

    def vitals(self) -> Vitals:
        """What the pages tell of this process and of the receiver."""
        seen_at, counters = _published(self._data_dir)
        now = time.monotonic()
        return Vitals(
            turns={name: now - at for name, at in self._turned.items()},
            longest_delivery=self._target.max_duration.total_seconds(),
            unsorted=self._unsorted(),
            receiver_seen_at=seen_at,
            receiver=counters,
            troubles={_PARTS[name]: words for name, trouble in self._troubles.items() if (words := trouble.lasting)},
            damaged=(len(self._reader.damage), sum(self._reader.damage.values())),
            free=_free(self._data_dir),
        )

    def _unsorted(self) -> int:
        """How many mails wait in the spool; what it was when that could last be read."""
        with self._counting, contextlib.suppress(SpoolError):
            self._waiting = self._backlog.waiting(self._sort.ingested_to)
        return self._waiting

    def stop(self) -> None:
        """Let both threads end after the step at hand; a delivery that has not reached its final dot is broken off."""
        self._stop.set()
        self._target.abort()

    def run(self) -> bool:
        """Work until `stop()`; return False where a thread died of something."""
        turns = {"sorting": self._sorting_turn, "delivery": lambda: self._outbox.step(utc_now())}
        threads = [threading.Thread(target=self._loop, args=turn, name=turn[0]) for turn in turns.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.failure is None

    def _sorting_turn(self) -> bool:
        now = utc_now()
        busy, caught_up = self._sorted(now)
        busy |= self._digests.step(now, caught_up=caught_up)
        return busy | self._housekeeping.step(now)

    def _sorted(self, now: datetime) -> tuple[bool, bool]:
        """Sort a batch; what waits to be told does not wait for a spool that cannot be read."""
        try:
            busy = self._sort.step(now)
        except SpoolError as error:
            self._troubles["spool"].met(error)
            return False, False
        self._troubles["spool"].over()
        return busy, self._sort.caught_up

    def _loop(self, name: str, turn: Callable[[], bool]) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(self._pause_after(name, turn))
                self._turned[name] = time.monotonic()
        except BaseException as error:
            log.critical("the worker cannot go on", thread=name, exc_info=not isinstance(error, RelayError))
            self.failure = error
            self.stop()

    def _pause_after(self, name: str, turn: Callable[[], bool]) -> float:
        """Do one turn; return how long to wait before the next, in seconds."""
        try:
            busy = turn()
        except (LedgerBusy, OSError) as error:
            self._troubles[name].met(error)
            return BUSY_PAUSE
        self._troubles[name].over()
        return 0.0 if busy else TURN


def _free(data_dir: DataDir) -> int | None:
    """Bytes that the relay may still write beside the spool."""
    try:
        found = os.statvfs(data_dir.root)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def _published(data_dir: DataDir) -> tuple[datetime | None, dict[str, float]]:
    """What the receiver published of itself, and when; nothing where it never did."""
    try:
        text = data_dir.receiver_counters.read_text("utf-8")
        at = datetime.fromtimestamp(data_dir.receiver_counters.stat().st_mtime, utc_now().tzinfo)
        return at, dict(_numbers("", json.loads(text)))
    except (OSError, ValueError):
        return None, {}


def _numbers(prefix: str, values: dict[str, Any]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _numbers(f"{prefix}{name}_", value)
        elif name != "pid" and isinstance(value, int | float):
            found.append((prefix + name, value))
    return found
