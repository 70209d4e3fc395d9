"""The child's side of the supervisor protocol: configurations in, heartbeats out.

A child reads configurations from its standard input, one line of JSON each. The first one comes with the sockets that
the child listens on; each later one replaces the one before. End of input means that the supervisor is gone. The child
writes one byte to its standard output regularly as a heartbeat, and one byte as the reply to each later configuration.
So no secret appears in an argument list.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from relay.errors import ConfigError, TemplateError

CONFIG_ERRORS = (ConfigError, TemplateError)
"""Errors that a restart with the same configuration cannot cure."""
EXIT_CONFIG = 2
"""The exit code of a child that cannot run with its configuration."""
HEARTBEAT, CONFIG_APPLIED, CONFIG_REJECTED = b".", b"+", b"-"
"""The bytes a child writes: it is alive; a new configuration is in use; it cannot be used, and the old one stays."""
HEARTBEAT_INTERVAL = 0.5
"""Seconds between two heartbeats."""
MAX_SOCKETS = 253
"""The most sockets that can be passed to one child (the kernel's SCM_MAX_FD)."""
NO_RELOAD = "SIGHUP changes nothing here: restart this process, or run `relay serve`, which reloads its configuration"
"""The log message of a role that runs without a supervisor and gets SIGHUP."""


def ignore_hangup(log: Callable[[str], object]) -> None:
    """Make a role without a supervisor survive SIGHUP and `log` why nothing changes.

    In a terminal SIGHUP still ends the process: there it means that the terminal was closed.
    """
    if not sys.stderr.isatty():
        signal.signal(signal.SIGHUP, lambda *_: log(NO_RELOAD))


class SupervisorLink:
    """The child's end of the control socket: configurations, and the notice that the supervisor is gone."""

    def __init__(self) -> None:
        """Start to listen, in a thread of its own."""
        self.on_supervisor_exit: Callable[[], object] = lambda: os._exit(0)
        """Called when the supervisor is gone. By default the process ends at once; a running role stops in order."""
        self._first: SimpleQueue[tuple[dict[str, Any], list[socket.socket]]] = SimpleQueue()
        self._bound: list[socket.socket] = []
        self._has_first = False
        self._handler: Callable[[dict[str, Any]], None] | None = None
        self._waiting: dict[str, Any] | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    def first_config(self) -> tuple[dict[str, Any], list[socket.socket]]:
        """Wait for the first configuration; return it and the listening sockets that came with it."""
        return self._first.get()

    def on_config(self, handler: Callable[[dict[str, Any]], None]) -> None:
        """Call `handler`, from another thread, with each later configuration; at once with one that is already here."""
        with self._lock:
            self._handler, waiting = handler, self._waiting
        if waiting is not None:
            handler(waiting)

    def _listen(self) -> None:
        control = socket.socket(fileno=os.dup(0))
        text = b""
        with contextlib.suppress(OSError):
            while True:
                more, numbers, _, _ = socket.recv_fds(control, 65536, MAX_SOCKETS)
                self._bound += [_adopt(number) for number in numbers]
                if not more:
                    break
                *lines, text = (text + more).split(b"\n")
                for each in lines:
                    self._dispatch(json.loads(each))
        self.on_supervisor_exit()

    def _dispatch(self, config: dict[str, Any]) -> None:
        if not self._has_first:
            self._has_first = True
            self._first.put((config, self._bound))
            return
        with self._lock:
            handler = self._handler
            self._waiting = config
        if handler is not None:
            handler(config)


def _adopt(number: int) -> socket.socket:
    """Make a socket of a received file descriptor; no process that this one starts inherits it."""
    os.set_inheritable(number, False)  # noqa: FBT003 -- its own signature
    return socket.socket(fileno=number)


def start_heartbeat(healthy: Callable[[], bool]) -> Callable[[], None]:
    """Write a heartbeat to standard output every HEARTBEAT_INTERVAL seconds while `healthy()`; return what stops it."""
    stopped = threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError):
            while not stopped.wait(HEARTBEAT_INTERVAL):
                if healthy():
                    os.write(1, HEARTBEAT)

    threading.Thread(target=run, name="heartbeat", daemon=True).start()
    return stopped.set
