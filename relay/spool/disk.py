"""Writes that are complete and syncs that reach the disk.

Guarantee: where a function here returns, its work is done; where it raises OSError, nothing
may be believed about what it was to write.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """True where `error` means that there is no room on the disk, or none for us."""
    return error.errno in _FULL


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`; a short write is continued and so brings out the error behind it."""
    done = os.pwrite(fd, data, offset)
    while done < len(data):
        done += os.pwrite(fd, memoryview(data)[done:], offset + done)


def sync(fd: int) -> None:
    """Return when what was written to `fd`, and what is needed to find it again, is on the disk.

    After an error the kernel may have dropped the pages and call the next sync fine (fsyncgate): do not try again on
    the same file. On macOS a plain fsync stops at the drive's cache (its fsync(2)).
    """
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Return when the names in `folder` are on the disk."""
    with opened(folder, os.O_RDONLY | os.O_DIRECTORY) as fd:
        os.fsync(fd)


def make_folder(folder: Path) -> None:
    """Make `folder`, for its owner alone (0700), and sync its name and that of the folder it is in."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for parent in folder.absolute().parents[:2]:
        with contextlib.suppress(PermissionError):  # may be used but not read; then it is none of ours
            sync_folder(parent)


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Give a descriptor of `path` (made for its owner alone, 0600, if `flags` ask for it) and close it afterwards."""
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
