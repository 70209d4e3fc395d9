"""The children of `relay serve` and what they are told, put together; supervised to the end (serve → supervisor)."""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from relay.config import Listen, Loaded, Settings
from relay.service import logs
from relay.service.child_config import receiver_order, worker_order
from relay.service.child_process import Process
from relay.service.reload import Reload
from relay.service.supervisor import Child, supervise

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The listening sockets."""

    smtp: list[socket.socket]
    smtps: list[socket.socket]
    """On these TLS begins with the first byte."""
    http: list[socket.socket]


def supervise_children(loaded: Loaded, config: Path | None, listeners: Listeners, receiver: Process) -> None:
    """Keep a receiver and a worker running until a signal; `receiver` runs already. Raises Unstartable."""
    settings = loaded.settings
    logs.configure(settings.log.format, settings.log.level)

    def ready() -> None:
        smtp = _names(listeners.smtp + listeners.smtps)
        log.info("listening", smtp=smtp, http=_names(listeners.http), data=str(settings.storage.data_dir))

    children = [_receiver(settings, listeners, receiver), _worker(loaded, listeners.http)]
    terminal = sys.stderr.isatty()  # whose closing sends SIGHUP too, and means the end
    reread = None if terminal else Reload(loaded, config, tls_sockets=len(listeners.smtps))
    asyncio.run(supervise(children, ready, reread))
    log.info("stopped")


def _names(bound: list[socket.socket]) -> str:
    return ", ".join(str(Listen(*sock.getsockname()[:2])) for sock in bound)


def _receiver(settings: Settings, listeners: Listeners, begun: Process) -> Child:
    return Child(
        name="receiver",
        order=receiver_order(settings, tls_sockets=len(listeners.smtps)),
        sockets=[*listeners.smtp, *listeners.smtps],
        begun=begun,
        changes=True,
        pauses=(0.0, 0.1, 0.5, 1.0),
    )


def _worker(loaded: Loaded, bound: list[socket.socket]) -> Child:
    return Child(
        name="worker",
        order=worker_order(loaded.tables),
        sockets=bound,
        pauses=(0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    )
