"""File handlers for a file that several processes write, as the workers of a server do.

The stock rotating handlers know nothing of each other: the second worker renames the fresh file once more, or throws
yesterday's away. Guarantee of these: one process at a time rotates, the others follow to the new file, no line is lost
on the way; and none of them ever raises in the app or waits for another process.
"""

import contextlib
import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from logging.handlers import BaseRotatingHandler, RotatingFileHandler, TimedRotatingFileHandler, WatchedFileHandler
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ImportError:  # Windows, where a file that another process has open cannot be renamed anyway
    fcntl = None  # type: ignore[assignment]


class WatchedFile(WatchedFileHandler):
    """The stock handler, which opens a file anew that logrotate has moved away; a failure to do so is no exception."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record to the file that has the name now."""
        try:
            super().emit(record)
        except Exception:  # noqa: BLE001 - the stock one lets errors of opening through to the app
            self.handleError(record)


class _SharedFile(BaseRotatingHandler):
    """What both ways of rotating have in common."""

    _complained = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, to the new file if another process has rotated."""
        try:
            self._follow()
        except OSError:
            self.handleError(record)
        else:
            super().emit(record)

    def doRollover(self) -> None:  # noqa: N802 - the stock name
        """Rotate, unless another process does or has just done so; where that fails the old file goes on growing."""
        with _turn_in(Path(self.baseFilename).parent) as ours:
            if ours and not self._follow():
                try:
                    super().doRollover()  # type: ignore[misc]  # of the class that stands behind this one
                except OSError as trouble:
                    self._go_on(trouble)

    def _follow(self) -> bool:
        """Open the file that has the name now; False if that is the one we have."""
        if self.stream is None or not _moved(self.stream, self.baseFilename):
            return False
        self.stream.close()
        self.stream = None  # stays so if the next line fails; then `emit` opens it
        self.stream = self._open()
        return True

    def _go_on(self, trouble: OSError) -> None:
        """The stock handlers would lose this record and all others until somebody comes."""
        if self.stream is None:
            self.stream = self._open()
        if not self._complained and logging.raiseExceptions and sys.stderr is not None:
            self._complained = True
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"{self.baseFilename} cannot be rotated and goes on growing ({trouble.strerror})\n")


class SizedFile(_SharedFile, RotatingFileHandler):
    """Rotates by size, once for all processes."""


class TimedFile(_SharedFile, TimedRotatingFileHandler):
    """Rotates by time, once for all processes."""

    def rotation_filename(self, default_name: str) -> str:
        """The old file's name; OSError where that is a folder, which the stock handler takes for an old file."""
        name = super().rotation_filename(default_name)
        if Path(name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return name

    def _follow(self) -> bool:
        followed = super()._follow()
        if followed:  # whoever moved it, did so because it was time
            self.rolloverAt = self.computeRollover(int(time.time()))
        return followed


def _moved(stream: TextIO, name: str) -> bool:
    try:
        named = Path(name).stat()
    except FileNotFoundError:
        return True
    return not os.path.samestat(os.fstat(stream.fileno()), named)


@contextlib.contextmanager
def _turn_in(folder: Path) -> Iterator[bool]:
    """Hold the right to rename files in the folder; yields False, at once, when another process has it.

    The lock is on the folder itself: it leaves no file behind, and ends with its holder however that ends.
    """
    descriptor = -1
    try:
        if fcntl is not None:
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = True
    except OSError as trouble:
        ours = not isinstance(trouble, BlockingIOError)  # no locks to be had here: then as the stock handlers do
    try:
        yield ours
    finally:
        if descriptor >= 0:
            os.close(descriptor)
