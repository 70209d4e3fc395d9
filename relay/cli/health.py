"""`health`: check that the receiver and the worker respond; with `--ready`, that digests are delivered.

A container runs this every few seconds for as long as it lives, so it reads two settings and speaks over plain sockets:
the libraries of the configuration, of mail and of HTTP would take more processor time than the idle relay.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay import SMTP_KEYWORD
from relay.cli.options import config_option, json_option
from relay.config.listen import listen_addresses

if TYPE_CHECKING:
    from relay.config import Listen

MAX_REPLY = 4096
"""Bytes of a reply that are read: a greeting, or the headers and the sentences of a page."""
START_PERIOD = 20.0
"""Seconds after the start of the container in which `--pause` does not wait; `--start-period` of the Dockerfile."""


@click.command()
@config_option
@json_option
@click.option("--ready", is_flag=True, help="Also check that digests are delivered (/readyz).")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds for each check.")
@click.option("--pause", default=0.0, help="Seconds to wait first, but not while a container starts.")
@click.pass_context
def health(
    ctx: click.Context, config: Path | None, *, as_json: bool, ready: bool, timeout: float, pause: float
) -> None:
    """Check the running relay.

    The receiver must send its SMTP greeting, and the worker must be alive.
    """
    if pause and container_age() > START_PERIOD:
        time.sleep(pause)
    smtp, http = listen_addresses(config)
    checks = [_greeting(smtp, timeout), _page(http, "/livez", timeout)]
    if ready:
        checks.append(_page(http, "/readyz", timeout))
    fine = all(ok for ok, _ in checks)
    if as_json:
        from relay.cli.output import print_json

        print_json({"ok": fine, "checks": [_as_json(ok, text) for ok, text in checks]})
    else:
        for _, text in checks:
            click.echo(text)
    ctx.exit(0 if fine else 1)


def container_age(proc: Path = Path("/proc")) -> float:
    """Return the seconds since process 1 started (proc_pid_stat(5), field 22); 0 without /proc.

    Docker before 25 has one interval for all checks (no `--start-interval`), and cannot build an image that asks for
    two. So Docker checks each second, and the check itself waits when the container has started.
    """
    try:
        fields = (proc / "1" / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        uptime = float((proc / "uptime").read_text("ascii").split()[0])
        return max(0.0, uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0


def _as_json(ok: bool, text: str) -> dict[str, object]:  # noqa: FBT001 -- the two halves of a check
    name, _, said = text.partition(": ")
    return {"name": name, "ok": ok, "text": said}


def _greeting(listen: Listen, timeout: float) -> tuple[bool, str]:
    """Check that the receiver greets (RFC 5321 section 3.1), and that it is the relay and no other mail server."""
    extensions = b""
    try:
        with _connect(listen, timeout) as connection:
            greeting = connection.recv(MAX_REPLY)
            if greeting.startswith(b"220"):
                connection.sendall(b"EHLO localhost\r\n")
                extensions = connection.recv(MAX_REPLY)
            connection.sendall(b"QUIT\r\n")
    except OSError as error:
        return False, f"receiver: no greeting from {listen}: {error.strerror or error}"
    if not greeting:
        return False, f"receiver: no greeting from {listen}: the connection was closed"
    code = greeting[:3].decode("latin-1")
    if code == "220" and SMTP_KEYWORD.encode() not in extensions:
        who = greeting.partition(b"\r")[0].decode("ascii", "replace")
        return False, f"receiver: another mail server answers on {listen}: {who}"
    return code == "220", f"receiver: answers {code} on {listen}"


def _page(listen: Listen, path: str, timeout: float) -> tuple[bool, str]:
    """Check that a page of the worker answers 200."""
    host = str(listen).rpartition(":")[0]
    reply = b""
    try:
        with _connect(listen, timeout) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            while len(reply) < MAX_REPLY and (more := connection.recv(MAX_REPLY - len(reply))):
                reply += more
    except OSError as error:
        return False, f"worker: no answer from {listen}: {error.strerror or error}"
    head, _, body = reply.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not head.startswith(b"HTTP/") or not status:
        return False, f"worker: no answer from {listen}: this is not HTTP"
    return status == [b"200"], f"worker: {path}: {body.decode('utf-8', 'replace').strip()}"


def _connect(listen: Listen, timeout: float) -> socket.socket:
    """Connect to a server of the relay: on the loopback if it listens on every address. Raises OSError."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 -- compared, not bound
    return socket.create_connection((host, listen.port), timeout)
