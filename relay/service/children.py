"""The children of `relay serve`: builds the receiver and the worker and runs the supervisor over them.

`serve` hands over the sockets and the receiver's process, which already accepts mail.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from relay.config import Listen, Loaded, Settings
from relay.service import event_logs
from relay.service.child_config import receiver_config, worker_config
from relay.service.child_process import ChildProcess
from relay.service.reload import ConfigReloader
from relay.service.supervisor import Child, supervise

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The listening sockets."""

    smtp: list[socket.socket]
    smtps: list[socket.socket]
    """On these TLS begins with the first byte."""
    http: list[socket.socket]


def supervise_children(loaded: Loaded, config: Path | None, listeners: Listeners, receiver: ChildProcess) -> None:
    """Keep a receiver and a worker running until a signal; `receiver` already runs. Raises ChildCannotStart."""
    settings = loaded.settings
    event_logs.configure("supervisor", settings.log.format, settings.log.level)

    def ready() -> None:
        smtp = _addresses(listeners.smtp + listeners.smtps)
        log.info("listening", smtp=smtp, http=_addresses(listeners.http), data=str(settings.storage.data_dir))

    children = [_receiver(settings, listeners, receiver), _worker(loaded, listeners.http)]
    terminal = sys.stderr.isatty()  # closing a terminal sends SIGHUP too, and there it means the end
    reload = None if terminal else ConfigReloader(loaded, config, tls_sockets=len(listeners.smtps))
    asyncio.run(supervise(children, ready, reload))
    log.info("stopped")


def _addresses(bound: list[socket.socket]) -> str:
    return ", ".join(str(Listen(*sock.getsockname()[:2])) for sock in bound)


def _receiver(settings: Settings, listeners: Listeners, started: ChildProcess) -> Child:
    return Child(
        name="receiver",
        config=receiver_config(settings, tls_sockets=len(listeners.smtps)),
        sockets=[*listeners.smtp, *listeners.smtps],
        started=started,
        reloads_in_place=True,
        pauses=(0.0, 0.1, 0.5, 1.0),
    )


def _worker(loaded: Loaded, bound: list[socket.socket]) -> Child:
    return Child(
        name="worker",
        config=worker_config(loaded.settings, loaded.tables),
        sockets=bound,
        pauses=(0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    )
