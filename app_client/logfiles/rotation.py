"""Rotating file handlers for a file that several processes write, such as the workers of a server.

The standard rotating handlers do not coordinate: a second worker renames the new file again, or deletes yesterday's.
Guarantees: one process at a time rotates, the others switch to the new file, and no line is lost. A handler never
raises in the app and never waits for another process.
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
except ImportError:  # Windows, where a file that another process has opened cannot be renamed anyway
    fcntl = None  # type: ignore[assignment]


class WatchedFile(WatchedFileHandler):
    """The standard handler, which reopens a file that logrotate has renamed; a failure does not raise in the app."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record to the file that has the configured name now."""
        try:
            super().emit(record)
        except Exception:  # noqa: BLE001 - the standard handler lets errors of opening propagate to the app
            self.handleError(record)


class _SharedFile(BaseRotatingHandler):
    """The common part of rotation by size and by time."""

    _warned = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; to the new file, if another process has rotated."""
        try:
            self._follow()
        except OSError:
            self.handleError(record)
        else:
            super().emit(record)

    def doRollover(self) -> None:  # noqa: N802 - the standard name
        """Rotate, unless another process rotates or has just rotated. If it fails, the old file keeps growing."""
        with _rotation_lock(Path(self.baseFilename).parent) as ours:
            if ours and not self._follow():
                try:
                    super().doRollover()  # type: ignore[misc]  # of the next class in the MRO
                except OSError as error:
                    self._keep_writing(error)

    def _follow(self) -> bool:
        """Switch to the file that has the configured name now; False if it is the open one."""
        if self.stream is None or not _moved(self.stream, self.baseFilename):
            return False
        self.stream.close()
        self.stream = None  # if the next line fails, `emit` opens the file
        self.stream = self._open()
        return True

    def _keep_writing(self, error: OSError) -> None:
        """Reopen the old file after a failed rotation; the standard handlers would lose all further records."""
        if self.stream is None:
            self.stream = self._open()
        if not self._warned and logging.raiseExceptions and sys.stderr is not None:
            self._warned = True
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"{self.baseFilename} cannot be rotated and keeps growing ({error.strerror})\n")


class SizedFile(_SharedFile, RotatingFileHandler):
    """Rotates by size, once for all processes."""


class TimedFile(_SharedFile, TimedRotatingFileHandler):
    """Rotates by time, once for all processes."""

    def rotation_filename(self, default_name: str) -> str:
        """Return the name of the old file; OSError for a folder, which the standard handler takes for an old file."""
        name = super().rotation_filename(default_name)
        if Path(name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return name

    def _follow(self) -> bool:
        followed = super()._follow()
        if followed:  # another process has rotated because it was time, so the next interval starts now
            self.rolloverAt = self.computeRollover(int(time.time()))
        return followed


def _moved(stream: TextIO, name: str) -> bool:
    try:
        named = Path(name).stat()
    except FileNotFoundError:
        return True
    return not os.path.samestat(os.fstat(stream.fileno()), named)


@contextlib.contextmanager
def _rotation_lock(folder: Path) -> Iterator[bool]:
    """Hold the lock for renaming files in the folder; yields False, at once, if another process holds it.

    The lock is on the folder itself, so no lock file is left behind. It ends with the process that holds it.
    """
    descriptor = -1
    try:
        if fcntl is not None:
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = True
    except OSError as error:
        ours = not isinstance(error, BlockingIOError)  # without lock support, rotate as the standard handlers do
    try:
        yield ours
    finally:
        if descriptor >= 0:
            os.close(descriptor)
