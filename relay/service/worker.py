"""The worker's process: sorts, decides, sends, shows. Started by the supervisor, or alone by `relay work`.

Where the ledger cannot be used (damaged, of a later release, out of reach) it stays, shows why on its pages, holds no
lock that `relay repair` would need, and looks again now and then; the receiver takes mail meanwhile. A thread that dies
of anything else takes the process with it, and the supervisor starts it anew: better none than half a worker. All
state is in spool and ledger, so the process may be killed between any two lines.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from relay.clock import utc_now
from relay.config import Settings
from relay.data_dir import DataDir
from relay.errors import InUse, LedgerError, RelayError, SpoolError
from relay.ledger import Ledger
from relay.service import child_protocol, lock, logs, sockets
from relay.service.assembly import make_renderer, worker_name
from relay.service.worker_loops import Worker
from relay.web import Server, create_app, create_waiting_app

log = structlog.get_logger()

MEMORY = 2**30
"""Bytes of data the worker may have; a mail that needs more is one that kills."""
NICENESS = 10
"""By so much the worker yields the processor: where both are busy, the receiver answers first."""
LOOK_AGAIN = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between two looks at state that cannot be used; the last one repeats."""


class WorkerRole:
    """One process' work: begins where it can, waits where it cannot, until it is told to stop."""

    def __init__(self, settings: Settings, bound: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._worker: Worker | None = None
        self._why = ""
        self.pages = Server(create_waiting_app("worker", "is starting"), bound)

    def well(self) -> bool:
        """Whether no mail has been looked at for too long."""
        worker = self._worker
        return worker is None or worker.well()

    def stop(self) -> None:
        """End after the steps at hand."""
        self._stop.set()
        if worker := self._worker:
            worker.stop()

    def run(self) -> int:
        """Work until `stop()`; return the exit code. Raises RelayError where waiting would not help."""
        for number in range(sys.maxsize):
            try:
                return self._work()
            except (LedgerError, SpoolError, OSError) as error:
                self._wait(error, LOOK_AGAIN[min(number, len(LOOK_AGAIN) - 1)])
            except InUse as error:
                if not number:
                    raise
                self._wait(error, LOOK_AGAIN[0])  # somebody repairs what was waited for
            if self._stop.is_set():
                break
        return 0

    def _work(self) -> int:
        settings = self._settings
        with contextlib.ExitStack() as stack:
            stack.enter_context(lock.hold_lock(settings.storage.data_dir, "worker"))
            ledger = Ledger.open(settings.storage.ledger_url, verify=True)
            stack.callback(ledger.close)
            name = worker_name(DataDir(settings.storage.data_dir))
            ledger.forget_worker(name)  # what a former life of it held, its lock says, is free
            worker = self._worker = Worker(settings, ledger, name)
            stack.callback(setattr, self, "_worker", None)
            if self._stop.is_set():
                return 0
            self.pages.app = create_app(ledger, settings, worker.vitals, utc_now)
            self._why = ""
            if worker.run():
                return 0
            if isinstance(worker.failure, LedgerError):
                raise worker.failure
            return 1

    def _wait(self, error: Exception, seconds: float) -> None:
        part = "ledger" if isinstance(error, LedgerError) else "storage"
        words = str(error)
        if words != self._why:
            log.critical("the worker waits; mail is still taken", part=part, why=words)
        self._why = words
        self.pages.app = create_waiting_app(part, words)
        self._stop.wait(seconds)


def run(settings: Settings, bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink | None) -> int:
    """Be the worker until a signal (or until the supervisor is gone); return the exit code. Raises RelayError."""
    make_renderer(settings)  # what does not compile is said before anything is touched
    with contextlib.ExitStack() as stack:
        role = WorkerRole(settings, bound)
        stack.callback(role.pages.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=role.stop).start())
        if supervisor:
            supervisor.act = role.stop
            stack.callback(child_protocol.start_heartbeat(role.well))
        role.pages.start()
        return role.run()


def run_alone(settings: Settings) -> None:
    """`relay work`: bind the pages' socket, or take an inherited one, and work. Exits with the worker's code."""
    logs.configure(settings.log.format, settings.log.level)
    bound = sockets.inherited(os.environ).get("http") or [sockets.bind(settings.http.listen)]
    child_protocol.decline_hangup(log.warning)
    sys.exit(run(settings, bound, None))


def be_child(
    order: Mapping[str, Any], bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink
) -> int:
    """Be the supervisor's child, with limited memory; return the exit code."""
    settings = Settings.model_validate(order["tables"])
    logs.configure(settings.log.format, settings.log.level)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    os.nice(NICENESS)
    try:
        return run(settings, bound, supervisor)
    except RelayError as error:
        log.critical("the worker cannot start", why=str(error))
        return child_protocol.USAGE if isinstance(error, child_protocol.UNUSABLE) else 1
