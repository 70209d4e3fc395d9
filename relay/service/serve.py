"""`relay serve`: opens the sockets, tells the children their orders, supervises them to the end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import structlog

from relay.config import Listen, Loaded, Settings
from relay.service import logs, roles, sockets
from relay.service.orders import Reread, receiver_order, worker_order
from relay.service.supervisor import Child, supervise

log = structlog.get_logger()

PATIENCE = 20.0
"""Seconds to wait for a port: the children of a relay that was killed hold it while they end."""


def run_serve(loaded: Loaded, config: Path | None = None) -> None:
    """Run the relay until a signal; on SIGHUP read the configuration anew.

    `config` is its file as given on the command line, None where it was looked for.
    Raises CannotListen, InUse, Unstartable.
    """
    settings = loaded.settings
    logs.configure(settings.log.format, settings.log.level)
    with roles.hold(settings.storage.data_dir, "supervisor"):
        handed = sockets.inherited(os.environ)
        smtp = handed.get("smtp") or [sockets.bind(settings.smtp.listen, patience=PATIENCE)]
        smtps = sockets.implicit_tls(handed, settings.smtp, patience=PATIENCE)
        http = handed.get("http") or [sockets.bind(settings.http.listen, patience=PATIENCE)]

        def ready() -> None:
            log.info("listening", smtp=_names(smtp + smtps), http=_names(http), data=str(settings.storage.data_dir))

        children = [_receiver(settings, smtp, smtps), _worker(loaded, http)]
        terminal = sys.stderr.isatty()  # whose closing sends SIGHUP too, and means the end
        reread = None if terminal else Reread(loaded, config, tls_sockets=len(smtps))
        asyncio.run(supervise(children, ready, reread))
    log.info("stopped")


def _names(bound: list[socket.socket]) -> str:
    return ", ".join(str(Listen(*sock.getsockname()[:2])) for sock in bound)


def _receiver(settings: Settings, bound: list[socket.socket], tls: list[socket.socket]) -> Child:
    return Child(
        name="receiver",
        order=receiver_order(settings, tls_sockets=len(tls)),
        sockets=[*bound, *tls],
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


def run_receiver(settings: Settings) -> None:
    """`relay receive`: take mail without a supervisor. Raises CannotListen, InUse, SpoolError, ConfigError."""
    from relay.service import receiver  # noqa: PLC0415 -- the supervisor itself must not load what it only starts

    handed = sockets.inherited(os.environ)
    bound = handed.get("smtp") or [sockets.bind(settings.smtp.listen)]
    tls = sockets.implicit_tls(handed, settings.smtp)
    receiver.run(receiver_order(settings, tls_sockets=len(tls)), [*bound, *tls], None)
