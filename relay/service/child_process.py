"""A child's process as the supervisor holds it: started, told its order, ended.

Its standard input is a socket. The order goes there when it is known, and with it the listening sockets (SCM_RIGHTS,
unix(7)): so a role loads its program while the supervisor still reads the configuration. Needs next to nothing itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, Self

PATIENCE = 5.0
"""Seconds for a child to read what it is told; one that does not is hung, and killed for its silence."""
_FRUGAL = {"MALLOC_ARENA_MAX": "1"}
"""mallopt(3): one heap for all threads, which one lock of Python's serves anyway; each would keep what it once took."""


class Process:
    """One process of a role, from its start on; it waits for its order."""

    def __init__(self, role: str) -> None:
        """Start it. Raises OSError."""
        self._line, theirs = socket.socketpair()
        self._line.settimeout(PATIENCE)
        with theirs:
            command = (sys.executable, "-m", "relay.service.child_main", role)
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.PIPE, env={**_FRUGAL, **os.environ}
            )

    def __enter__(self) -> Self:
        """Hand it out: its end is that of the block, at the latest."""
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()  # which is the end, also of one that was told nothing yet
        self.wait()
        self.signs.close()

    def tell(self, order: Mapping[str, Any], sockets: Sequence[socket.socket] = ()) -> None:
        """Give it an order, the first time with the sockets that it is to listen on."""
        text = json.dumps(order).encode() + b"\n"
        with contextlib.suppress(OSError):  # it has ended, or will be: who watches it finds out
            sent = socket.send_fds(self._line, [text], [each.fileno() for each in sockets]) if sockets else 0
            self._line.sendall(text[sent:])

    @property
    def signs(self) -> IO[bytes]:
        """What it writes: its signs of life."""
        assert self._process.stdout  # noqa: S101 -- asked for where it was started
        return self._process.stdout

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it on the spot."""
        self.signal(signal.SIGKILL)

    def wait(self) -> None:
        """Block until it has ended."""
        self._process.wait()
        self._line.close()
