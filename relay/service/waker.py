"""Send wake-ups to the worker: the writing end of its FIFO (receiver, commands → worker).

The receiver imports this, so it imports almost nothing.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MAIL, LEDGER = b"m", b"l"
"""What happened: the spool has more to read; the ledger was changed by a command."""


class Waker:
    """Sends wake-ups through the FIFO at `path`; opens it when there is a worker, and again after a new one started."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def wake(self, what: bytes = MAIL) -> None:
        """Wake the worker, if there is one. Never blocks, never raises."""
        if not self._write(what):
            self._write(what)  # the FIFO that was open has no reader any more: there may be a new worker

    def _write(self, what: bytes) -> bool:
        """Return False if the open FIFO turned out to have no reader."""
        if self._fd < 0:
            # Without a reader this fails (ENXIO): then nobody has to be woken.
            with contextlib.suppress(OSError):
                self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            if self._fd < 0:
                return True
        try:
            os.write(self._fd, what)
        except BlockingIOError:
            return True  # it is full: the worker has not read the earlier wake-ups yet
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Close the FIFO."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def wake_worker(path: Path) -> None:
    """Wake the worker: a command changed the ledger."""
    waker = Waker(path)
    waker.wake(LEDGER)
    waker.close()
