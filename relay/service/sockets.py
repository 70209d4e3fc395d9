"""The listening sockets: bound here, or inherited from the service manager (`LISTEN_FDS`, sd_listen_fds(3))."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from relay.errors import RelayError

if TYPE_CHECKING:
    from relay.config import Listen
    from relay.config.server import Smtp

BACKLOG = 1024
"""Connections that may wait in one burst; see `relay/receive/server.py`."""

_FIRST_INHERITED = 3


class CannotListen(RelayError):
    """The relay cannot listen on an address; the text says why and what to do."""


def bind(listen: Listen, *, retry_for: float = 0.0, on_wait: Callable[[str], None] | None = None) -> socket.socket:
    """Return a listening socket on `listen`; retry for `retry_for` seconds while the port is in use.

    The children of a relay that was killed hold the port until they end. `on_wait` is called once, before the first
    retry, with a sentence that says who uses the port and how long it is retried. Raises CannotListen.
    """
    deadline = time.monotonic() + retry_for
    while True:
        try:
            return _bound(listen)
        except OSError as error:
            busy = error.errno == errno.EADDRINUSE
            if not busy or time.monotonic() >= deadline:
                reason = _in_use(listen) if busy else _advice(error)
                raise CannotListen(f"cannot listen on {listen}: {reason}") from error
            if on_wait:
                on_wait(f"cannot listen on {listen} yet: {_in_use(listen)}; trying again for {retry_for:g} s")
                on_wait = None
            time.sleep(0.1)


def _bound(listen: Listen) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _in_use(listen: Listen) -> str:
    """Return who uses the port, as far as this user may know."""
    from relay.service.port_holder import describe_holder  # noqa: PLC0415 -- only a busy port needs it

    return f"{describe_holder(listen.port) or 'another program, or another relay,'} uses the port"


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "ports below 1024 need root, CAP_NET_BIND_SERVICE or a systemd socket (docs/operations.md)"
    if isinstance(error, socket.gaierror):
        return "this host name cannot be resolved"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return str(error.strerror)


def inherited(environ: Mapping[str, str]) -> dict[str, list[socket.socket]]:
    """Return the sockets that the service manager passed to this process, by name.

    A socket named `http` or `smtps` keeps its name; every other one is `smtp`. The result is empty unless `LISTEN_PID`
    is this process.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(environ.get("LISTEN_FDS", "0") or 0)
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = {}
    for index in range(count):
        sock = socket.socket(fileno=_FIRST_INHERITED + index)
        name = names[index] if index < len(names) and names[index] in {"http", "smtps"} else "smtp"
        found.setdefault(name, []).append(sock)
    return found


def implicit_tls(
    passed: Mapping[str, list[socket.socket]], smtp: Smtp, bind: Callable[[Listen], socket.socket] = bind
) -> list[socket.socket]:
    """Return the sockets on which TLS begins with the first byte: those `passed` as `smtps`, else `smtp.listen_tls`.

    The result is empty if neither is set. Raises CannotListen.
    """
    if "smtps" in passed:
        return passed["smtps"]
    return [bind(smtp.listen_tls)] if smtp.listen_tls else []
