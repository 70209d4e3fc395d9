"""Wake the worker when something happened: a FIFO in the data directory (receiver, commands → worker).

The worker sleeps until a byte arrives or until something is due. Each byte names what happened: MAIL or LEDGER.

Guarantee: a wake-up never blocks its sender and never fails it. A lost one (no worker, a full FIFO, a file system
without FIFOs, a receiver of an earlier release) costs time only: the worker looks by itself every few seconds, and ten
times a second where it has no FIFO.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
from pathlib import Path
from typing import Self

import structlog

from relay.service.waker import LEDGER

log = structlog.get_logger()

_MAX_BYTES = 65536
"""Bytes that one read takes: all that a FIFO holds (pipe(7))."""


class Wakeup:
    """The worker's end. `wait` is for one thread; `wake` and `close` are for all."""

    def __init__(self, path: Path) -> None:
        """Create the FIFO at `path` if it is missing, and open it. Without one, only `wake` wakes."""
        self._lock = threading.Lock()
        try:
            _make_fifo(path)
            # For reading and writing: so it opens at once, and does not end with the last sender (fifo(7)).
            self._reader = self._writer = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self.audible = True
            """Whether other processes can wake this one."""
        except OSError as error:
            log.warning("no wake-up by the receiver; the worker looks ten times a second", why=str(error))
            self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            self.audible = False
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, seconds: float) -> bytes:
        """Wait at most `seconds` for a wake-up; return the bytes of all that have arrived, b"" if there is none."""
        self._poll.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            return os.read(self._reader, _MAX_BYTES)
        return b""

    def wake(self) -> None:
        """Wake the waiting thread of this process."""
        with self._lock, contextlib.suppress(BlockingIOError):  # a full FIFO wakes as well
            if self._writer >= 0:
                os.write(self._writer, LEDGER)

    def close(self) -> None:
        """Close it; a later `wake` does nothing."""
        with self._lock:
            for number in {self._reader, self._writer} - {-1}:
                os.close(number)
            self._reader = self._writer = -1


def _make_fifo(path: Path) -> None:
    """Create a FIFO; replace anything else at its place, such as the plain file that a copy of the folder left."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISFIFO(path.lstat().st_mode):
            return
        path.unlink()
    os.mkfifo(path, 0o600)
