"""`relay serve`: opens the sockets, tells the children their orders, supervises them to the end."""

from __future__ import annotations

import asyncio
import os
import socket

import structlog

from relay.config import Listen, Loaded, Settings
from relay.service import logs, roles, sockets
from relay.service.supervisor import Child, supervise

log = structlog.get_logger()

PATIENCE = 20.0
"""Seconds to wait for a port: the children of a relay that was killed hold it while they end."""


def run_serve(loaded: Loaded) -> None:
    """Run the relay until a signal. Raises CannotListen, InUse, Unstartable."""
    settings = loaded.settings
    logs.configure(settings.log.format, settings.log.level)
    with roles.hold(settings.storage.data_dir, "supervisor"):
        handed = sockets.inherited(os.environ)
        smtp = handed.get("smtp") or [sockets.bind(settings.smtp.listen, patience=PATIENCE)]
        http = handed.get("http") or [sockets.bind(settings.http.listen, patience=PATIENCE)]

        def ready() -> None:
            log.info("listening", smtp=_names(smtp), http=_names(http), data=str(settings.storage.data_dir))

        asyncio.run(supervise([_receiver(settings, smtp), _worker(loaded, http)], ready))
    log.info("stopped")


def _names(bound: list[socket.socket]) -> str:
    return ", ".join(str(Listen(*sock.getsockname()[:2])) for sock in bound)


def _receiver(settings: Settings, bound: list[socket.socket]) -> Child:
    return Child(
        name="receiver",
        order=receiver_order(settings),
        sockets=bound,
        pauses=(0.0, 0.1, 0.5, 1.0),
    )


def _worker(loaded: Loaded, bound: list[socket.socket]) -> Child:
    return Child(
        name="worker",
        order={"tables": loaded.tables},
        sockets=bound,
        pauses=(0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    )


def receiver_order(settings: Settings) -> dict[str, object]:
    """Everything the receiver needs, as plain JSON: it imports nothing that could read a configuration."""
    smtp = settings.smtp
    return {
        "data_dir": str(settings.storage.data_dir),
        "limits": {
            "hostname": socket.gethostname(),
            "max_size": smtp.max_size,
            "idle_timeout": smtp.idle_timeout.total_seconds(),
            "max_connections": smtp.max_connections,
            "username": smtp.username,
            "password": smtp.password.get_secret_value() if smtp.password else None,
        },
    }


def run_receiver(settings: Settings) -> None:
    """`relay receive`: take mail without a supervisor. Raises CannotListen, InUse, SpoolError."""
    from relay.service import receiver  # noqa: PLC0415 -- the supervisor itself must not load what it only starts

    bound = sockets.inherited(os.environ).get("smtp") or [sockets.bind(settings.smtp.listen)]
    receiver.run(receiver_order(settings), bound, None)
