"""One process for each role and data directory, and what a child is told when it starts.

A child of the supervisor reads one line of JSON from its standard input (its order, with the sockets it is to listen
on) and afterwards other orders that are to take its place, and the end of it, which means that the supervisor is gone;
it writes a byte to its standard output now and then, which means that it is well, and another one for each order it was
given while it ran. Nothing secret stands in an argument list that way.
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

UNUSABLE = (ConfigError, TemplateError)
"""What a child cannot work with however often it is started."""
USAGE = 2
"""The exit code of a child that cannot work with the configuration it was given."""
WELL, TAKEN, REFUSED = b".", b"+", b"-"
"""What a child writes: a sign of life; a new order is at work; it cannot be, and the old one still is."""
BEAT = 0.5
"""Seconds between two signs of life."""
MOST_SOCKETS = 253
"""The most that can be handed to one child (the kernel's SCM_MAX_FD)."""


ALONE = "SIGHUP changes nothing here: restart this process, or run `relay serve`, which takes a new configuration"
"""What a role that runs alone says to it."""


def decline_hangup(say: Callable[[str], object]) -> None:
    """Have a role that runs alone stay at SIGHUP and `say` why nothing changes; at a terminal that is the end."""
    if not sys.stderr.isatty():
        signal.signal(signal.SIGHUP, lambda *_: say(ALONE))


class SupervisorLink:
    """What the supervisor says, and that it is gone: then, until told otherwise, this process ends at once."""

    def __init__(self) -> None:
        """Listen from a thread of its own."""
        self.act: Callable[[], object] = lambda: os._exit(0)
        """What is done when it is gone; a role that has opened something sets its own orderly stop."""
        self._first: SimpleQueue[tuple[dict[str, Any], list[socket.socket]]] = SimpleQueue()
        self._bound: list[socket.socket] = []
        self._begun = False
        self._heed: Callable[[dict[str, Any]], None] | None = None
        self._waiting: dict[str, Any] | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    def first(self) -> tuple[dict[str, Any], list[socket.socket]]:
        """Wait for the order to begin with; return it and the listening sockets that came with it."""
        return self._first.get()

    def on_order(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Call `take`, from a thread, with each later order; one that came too early is given to it at once."""
        with self._lock:
            self._heed, waiting = take, self._waiting
        if waiting is not None:
            take(waiting)

    def _listen(self) -> None:
        line = socket.socket(fileno=os.dup(0))
        text = b""
        with contextlib.suppress(OSError):
            while True:
                more, numbers, _, _ = socket.recv_fds(line, 65536, MOST_SOCKETS)
                self._bound += [_own(number) for number in numbers]
                if not more:
                    break
                *lines, text = (text + more).split(b"\n")
                for each in lines:
                    self._give(json.loads(each))
        self.act()

    def _give(self, order: dict[str, Any]) -> None:
        if not self._begun:
            self._begun = True
            self._first.put((order, self._bound))
            return
        with self._lock:
            take = self._heed
            self._waiting = order
        if take is not None:
            take(order)


def _own(number: int) -> socket.socket:
    """Take a socket that was handed over, for this process alone."""
    os.set_inheritable(number, False)  # noqa: FBT003 -- its own signature
    return socket.socket(fileno=number)


def start_heartbeat(well: Callable[[], bool]) -> Callable[[], None]:
    """Write a sign of life to standard output every BEAT seconds for as long as `well()`; return what stops it."""
    stopped = threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError):
            while not stopped.wait(BEAT):
                if well():
                    os.write(1, WELL)

    threading.Thread(target=run, name="heartbeat", daemon=True).start()
    return stopped.set
