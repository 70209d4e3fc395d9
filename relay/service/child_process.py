"""The supervisor's handle on one child process: start it, send its configuration, signal it, wait for its end.

The child's standard input is a socket, the control socket. The supervisor sends the configuration over it, and with the
first one the listening sockets (SCM_RIGHTS, unix(7)). So a role loads its program while the supervisor still reads the
configuration. This module imports almost nothing: the relay accepts mail only after it has run.
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

SEND_TIMEOUT = 5.0
"""Seconds for a child to read a configuration. One that does not read it hangs; without heartbeats it is killed."""
_SINGLE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""mallopt(3): one heap for all threads. Python's global lock serialises them anyway, and each heap keeps memory."""


class ChildProcess:
    """One process of a role. It loads its program and then waits for its configuration."""

    def __init__(self, role: str) -> None:
        """Start the process. Raises OSError."""
        self._control, theirs = socket.socketpair()
        self._control.settimeout(SEND_TIMEOUT)
        with theirs:
            command = (sys.executable, "-m", "relay.service.child_main", role)
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.PIPE, env={**_SINGLE_ARENA, **os.environ}
            )

    def __enter__(self) -> Self:
        """Return the process; it ends with the block at the latest."""
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()  # ends the child, also one that never got a configuration
        self.wait()
        self.output.close()

    def send_config(self, config: Mapping[str, Any], sockets: Sequence[socket.socket] = ()) -> None:
        """Send a configuration; the first one goes with the sockets that the child listens on.

        A child that has ended, or does not read, is no error here: the supervisor notices it by its missing heartbeats.
        """
        text = json.dumps(config).encode() + b"\n"
        with contextlib.suppress(OSError):
            sent = socket.send_fds(self._control, [text], [each.fileno() for each in sockets]) if sockets else 0
            self._control.sendall(text[sent:])

    @property
    def output(self) -> IO[bytes]:
        """The child's standard output: its heartbeats and its replies to a new configuration."""
        assert self._process.stdout  # noqa: S101 -- asked for where it was started
        return self._process.stdout

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: the signal that ended it); None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.signal(signal.SIGKILL)

    def wait(self) -> None:
        """Block until it has ended."""
        self._process.wait()
        self._control.close()
