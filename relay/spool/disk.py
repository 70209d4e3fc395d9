"""Complete writes and durable syncs.

Guarantee: if a function here returns, its work is done. If it raises OSError, nothing is known about what it was to
write.
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
    """True if `error` means that the disk or our quota is full."""
    return error.errno in _FULL


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`. A short write is continued, which brings out the error behind it."""
    done = os.pwrite(fd, data, offset)
    while done < len(data):
        done += os.pwrite(fd, memoryview(data)[done:], offset + done)


def sync(fd: int) -> None:
    """Return once the data written to `fd`, and the metadata needed to find it, are on the disk.

    After an error the kernel may have dropped the pages and report success for the next sync ("fsyncgate"): do not try
    again on the same file. On macOS a plain fsync stops at the drive's cache (fsync(2) there).
    """
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Return once the names in `folder` are on the disk."""
    with opened(folder, os.O_RDONLY | os.O_DIRECTORY) as fd:
        os.fsync(fd)


def make_folder(folder: Path) -> None:
    """Create `folder` for its owner alone (0700), and sync its name and that of its parent folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for parent in folder.absolute().parents[:2]:
        # A parent that is not ours may deny reading; then its name is not ours to sync.
        with contextlib.suppress(PermissionError):
            sync_folder(parent)


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Open `path` and yield its descriptor; close it afterwards. A new file is for its owner alone (0600)."""
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
