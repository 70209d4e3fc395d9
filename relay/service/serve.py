"""`relay serve`: opens the sockets, tells the children their orders, supervises them to the end."""

from __future__ import annotations

import asyncio
import os
import socket

import structlog

from relay.config import Listen, Loaded, Settings
from relay.service import logs, networks, roles, sockets
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
        smtps = sockets.implicit_tls(handed, settings.smtp, patience=PATIENCE)
        http = handed.get("http") or [sockets.bind(settings.http.listen, patience=PATIENCE)]

        def ready() -> None:
            log.info("listening", smtp=_names(smtp + smtps), http=_names(http), data=str(settings.storage.data_dir))

        asyncio.run(supervise([_receiver(settings, smtp, smtps), _worker(loaded, http)], ready))
    log.info("stopped")


def _names(bound: list[socket.socket]) -> str:
    return ", ".join(str(Listen(*sock.getsockname()[:2])) for sock in bound)


def _receiver(settings: Settings, bound: list[socket.socket], tls: list[socket.socket]) -> Child:
    return Child(
        name="receiver",
        order=receiver_order(settings, tls_sockets=len(tls)),
        sockets=[*bound, *tls],
        pauses=(0.0, 0.1, 0.5, 1.0),
    )


def _worker(loaded: Loaded, bound: list[socket.socket]) -> Child:
    return Child(
        name="worker",
        order={"tables": loaded.tables},
        sockets=bound,
        pauses=(0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    )


def receiver_order(settings: Settings, *, tls_sockets: int = 0) -> dict[str, object]:
    """Everything the receiver needs, as plain JSON: it imports nothing that could read a configuration.

    `tls_sockets`: on so many of its sockets, the last ones, TLS begins with the first byte.
    """
    smtp = settings.smtp
    return {
        "data_dir": str(settings.storage.data_dir),
        "tls_sockets": tls_sockets,
        "limits": {
            "hostname": socket.gethostname(),
            "max_size": smtp.max_size,
            "idle_timeout": smtp.idle_timeout.total_seconds(),
            "session_timeout": smtp.session_timeout.total_seconds(),
            "max_connections": smtp.max_connections,
            "max_per_client": smtp.max_per_client,
        },
        "access": {
            "clients": networks.resolve(smtp.clients),
            "proxies": networks.resolve(smtp.proxies),
            "username": smtp.username,
            "password": smtp.password.get_secret_value() if smtp.password else None,
            "auth_in_clear": smtp.auth_in_clear,
            "tls_cert": str(smtp.tls_cert.absolute()) if smtp.tls_cert else "",
            "tls_key": str(smtp.tls_key.absolute()) if smtp.tls_key else "",
        },
    }


def run_receiver(settings: Settings) -> None:
    """`relay receive`: take mail without a supervisor. Raises CannotListen, InUse, SpoolError, ConfigError."""
    from relay.service import receiver  # noqa: PLC0415 -- the supervisor itself must not load what it only starts

    handed = sockets.inherited(os.environ)
    bound = handed.get("smtp") or [sockets.bind(settings.smtp.listen)]
    tls = sockets.implicit_tls(handed, settings.smtp)
    receiver.run(receiver_order(settings, tls_sockets=len(tls)), [*bound, *tls], None)
