"""The worker's process: sorts, decides, sends, shows. Started by the supervisor, or alone by `relay work`.

Two threads, so that a slow upstream never keeps mail from being sorted: `sorting` (sort,
then digest, then housekeeping, each turn reading the clock once) and `delivery` (outbox).
A thread that dies takes the process with it, and the supervisor starts it anew: better
none than half a worker. All state is in spool and ledger, so the process may be killed
between any two lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from relay.clock import utc_now
from relay.config import Settings
from relay.deliver import open_target
from relay.digest import Digests
from relay.errors import LedgerBusy, RelayError
from relay.housekeeping import Housekeeping
from relay.ledger import Ledger
from relay.outbox import Outbox
from relay.service import logs, roles, sockets
from relay.service.assembly import Places, make_renderer, worker_name
from relay.sort import Sort
from relay.spool import Claims, SpoolReader
from relay.web import Server, Vitals, create_app

log = structlog.get_logger()

MEMORY = 2**30
"""Bytes of data the worker may have; a mail that needs more is one that kills."""
TURN = 0.1
"""Seconds between two looks where there was nothing to do."""
LONGEST_MAIL = 4.0
"""Seconds one mail may be looked at before the worker stops giving signs of life."""
BUSY_PAUSE = 1.0
"""Seconds to wait while the ledger is locked or out of reach."""


class Worker:
    """All steps of one worker on one data directory and one ledger."""

    def __init__(self, settings: Settings, ledger: Ledger, name: str) -> None:
        """Put the steps together; `name` is this worker's own, over restarts. Raises TemplateError."""
        places = Places.under(settings.storage.data_dir)
        self._places = places
        self._reader = SpoolReader(places.spool)
        self._target = open_target(settings)
        self._sort = Sort(self._reader, Claims(places.spool), ledger, settings, places.parked)
        self._digests = Digests(ledger, make_renderer(settings), settings, name)
        self._outbox = Outbox(ledger, self._target, settings, name, lambda: random.uniform(-1, 1))  # noqa: S311 -- jitter
        self._housekeeping = Housekeeping(ledger, self._reader, settings)
        self._stop = threading.Event()
        self._failed = threading.Event()
        self._turned = dict.fromkeys(("sorting", "delivery"), time.monotonic())

    def well(self) -> bool:
        """Whether no mail has been looked at for too long."""
        since = self._sort.busy_since
        return since is None or time.monotonic() - since < LONGEST_MAIL

    def vitals(self) -> Vitals:
        """What the pages tell of this process and of the receiver."""
        seen_at, counters = _published(self._places)
        now = time.monotonic()
        return Vitals(
            turns={name: now - at for name, at in self._turned.items()},
            longest_delivery=self._target.longest.total_seconds(),
            unsorted=SpoolReader(self._places.spool).waiting(self._sort.sorted_to),
            receiver_seen_at=seen_at,
            receiver=counters,
        )

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
        return not self._failed.is_set()

    def _sorting_turn(self) -> bool:
        now = utc_now()
        busy = self._sort.step(now)
        busy |= self._digests.step(now, caught_up=self._sort.caught_up)
        return busy | self._housekeeping.step(now)

    def _loop(self, name: str, turn: Callable[[], bool]) -> None:
        try:
            while not self._stop.is_set():
                self._stop.wait(_pause_after(turn))
                self._turned[name] = time.monotonic()
        except BaseException:
            log.critical("the worker cannot go on", thread=name, exc_info=True)
            self._failed.set()
            self.stop()


def _pause_after(turn: Callable[[], bool]) -> float:
    """Do one turn; return how long to wait before the next, in seconds."""
    try:
        return 0.0 if turn() else TURN
    except LedgerBusy as error:
        log.warning("the ledger is busy; trying again", why=str(error), again_in=f"{BUSY_PAUSE:g}s")
        return BUSY_PAUSE


def _published(places: Places) -> tuple[datetime | None, dict[str, float]]:
    """What the receiver published of itself, and when; nothing where it never did."""
    try:
        text = places.counters.read_text("utf-8")
        at = datetime.fromtimestamp(places.counters.stat().st_mtime, utc_now().tzinfo)
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


# --- The process ------------------------------------------------------------------------------------------------------


def run(settings: Settings, bound: Sequence[socket.socket], lifeline: roles.Lifeline | None) -> int:
    """Be the worker until a signal (or until the supervisor is gone); return the exit code. Raises RelayError."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(roles.hold(settings.storage.data_dir, "worker"))
        make_renderer(settings)  # what does not compile is said before anything is touched
        ledger = Ledger.open(settings.storage.ledger_url)
        stack.callback(ledger.close)
        name = worker_name(settings.storage.data_dir)
        ledger.forget_worker(name)  # what a former life of it held, its lock says, is free
        worker = Worker(settings, ledger, name)
        pages = Server(create_app(ledger, settings, worker.vitals, utc_now), bound)
        stack.callback(pages.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=worker.stop).start())
        if lifeline:
            lifeline.act = worker.stop
            stack.callback(roles.beat(worker.well))
        pages.start()
        return 0 if worker.run() else 1


def run_alone(settings: Settings) -> None:
    """`relay work`: bind the pages' socket, or take an inherited one, and work. Exits with the worker's code."""
    logs.configure(settings.log.format, settings.log.level)
    bound = sockets.inherited(os.environ).get("http") or [sockets.bind(settings.http.listen)]
    sys.exit(run(settings, bound, None))


def be_child(order: Mapping[str, Any], bound: Sequence[socket.socket], lifeline: roles.Lifeline) -> int:
    """Be the supervisor's child, with limited memory; return the exit code."""
    settings = Settings.model_validate(order["tables"])
    logs.configure(settings.log.format, settings.log.level)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    try:
        return run(settings, bound, lifeline)
    except RelayError as error:
        log.critical("the worker cannot start", why=str(error))
        return roles.USAGE if isinstance(error, roles.UNUSABLE) else 1
