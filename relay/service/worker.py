"""The worker's process: ingests, composes digests, sends them, serves the pages.

The supervisor starts it, or `relay work` without one.

While the ledger cannot be used (damaged, of a later release, unreachable) the process stays alive and the receiver
accepts mail. Its pages say why it waits, it holds no lock that `relay repair` would need, and it tries again regularly.
Any other failure of a thread ends the process, and the supervisor restarts it: half a worker is worse than none. All
state is in the spool and the ledger, so the process may be killed at any time.
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
from relay.service import child_protocol, event_logs, lock, sockets
from relay.service.assembly import make_renderer
from relay.service.wakeup import Wakeup
from relay.service.worker_loops import Worker
from relay.service.worker_name import worker_name
from relay.web import Server, create_app, create_waiting_app

log = structlog.get_logger()

MEMORY_LIMIT = 2**30
"""Bytes of data memory for the worker (RLIMIT_DATA). A mail that needs more counts as one that kills the worker."""
NICENESS = 10
"""How far the worker lowers its CPU priority: when both are busy, the receiver goes first."""
RETRY_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between two attempts to use a ledger or spool that cannot be used; the last one repeats."""


class WorkerRole:
    """The work of one process: works when it can, waits while the state cannot be used, until `stop()`."""

    def __init__(self, settings: Settings, bound: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._worker: Worker | None = None
        self._reason = ""
        self.pages = Server(create_waiting_app("worker", "is starting"), bound)

    def healthy(self) -> bool:
        """Whether the worker is not stuck on one mail."""
        worker = self._worker
        return worker is None or worker.healthy()

    def stop(self) -> None:
        """End after the steps that are running."""
        self._stop.set()
        if worker := self._worker:
            worker.stop()

    def run(self) -> int:
        """Work until `stop()`; return the exit code. Raises RelayError if waiting would not help."""
        for number in range(sys.maxsize):
            try:
                return self._work()
            except (LedgerError, SpoolError, OSError) as error:
                self._wait(error, RETRY_PAUSES[min(number, len(RETRY_PAUSES) - 1)])
            except InUse as error:
                if not number:
                    raise
                self._wait(error, RETRY_PAUSES[0])  # `relay repair` runs: it holds the lock meanwhile
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
            ledger.forget_worker(name)  # we hold the lock, so the former process of this name is dead: free its leases
            wakeup = stack.enter_context(Wakeup(DataDir(settings.storage.data_dir).wakeup))
            worker = self._worker = Worker(settings, ledger, name, wakeup)
            stack.callback(setattr, self, "_worker", None)
            if self._stop.is_set():
                return 0
            self.pages.app = create_app(ledger, settings, worker.vitals, utc_now)
            self._reason = ""
            if worker.run():
                return 0
            if isinstance(worker.failure, LedgerError):
                raise worker.failure
            return 1

    def _wait(self, error: Exception, seconds: float) -> None:
        part = "ledger" if isinstance(error, LedgerError) else "storage"
        reason = str(error)
        if reason != self._reason:
            log.critical("the worker is waiting; mail is still accepted", part=part, why=reason)
        self._reason = reason
        self.pages.app = create_waiting_app(part, reason)
        self._stop.wait(seconds)


def run(settings: Settings, bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink | None) -> int:
    """Run the worker until a signal, or until the supervisor is gone; return the exit code. Raises RelayError."""
    make_renderer(settings)  # report a template that does not compile before anything is touched
    with contextlib.ExitStack() as stack:
        role = WorkerRole(settings, bound)
        stack.callback(role.pages.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=role.stop).start())
        if supervisor:
            supervisor.on_supervisor_exit = role.stop
            stack.callback(child_protocol.start_heartbeat(role.healthy))
        role.pages.start()
        return role.run()


def run_alone(settings: Settings) -> None:
    """`relay work`: run the worker without a supervisor, on an inherited HTTP socket or a new one.

    Exits with the worker's exit code.
    """
    event_logs.configure("worker", settings.log.format, settings.log.level)
    bound = sockets.inherited(os.environ).get("http") or [sockets.bind(settings.http.listen)]
    child_protocol.ignore_hangup(log.warning)
    sys.exit(run(settings, bound, None))


def run_child(
    config: Mapping[str, Any], bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink
) -> int:
    """Run the worker as a child of the supervisor, with limited memory and low priority; return the exit code."""
    settings = Settings.model_validate(config["tables"])
    event_logs.configure("worker", settings.log.format, settings.log.level)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    os.nice(NICENESS)
    try:
        return run(settings, bound, supervisor)
    except RelayError as error:
        log.critical("cannot start", why=str(error))
        return child_protocol.EXIT_CONFIG if isinstance(error, child_protocol.CONFIG_ERRORS) else 1
