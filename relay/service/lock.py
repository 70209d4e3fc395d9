"""One process per role and data directory: lock files, and folders that only their owner can read.

Guarantee: two processes never hold the same role on one data directory. The kernel releases the lock of a process that
was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from relay.data_dir import DataDir
from relay.errors import InUse, RelayError


class DataDirError(RelayError):
    """The data directory cannot be created or written."""


def make_private_folder(folder: Path) -> Path:
    """Create `folder` with mode 0700 if it is missing; return it. Raises DataDirError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        advice = "set storage.data_dir to a folder that this user may write"
        raise DataDirError(f"{folder} cannot be created: {error.strerror}; {advice}") from error
    return folder


@contextlib.contextmanager
def hold_lock(data_dir: Path, role: str) -> Iterator[None]:
    """Hold the lock of `role` (supervisor, receiver, worker) on the data directory for the length of the block.

    Raises InUse if another process holds it, DataDirError if the lock file cannot be written.
    """
    path = DataDir(make_private_folder(data_dir)).lock(role)
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirError(f"{path} cannot be written: {error.strerror}; it must belong to this user") from error
    with os.fdopen(number, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = file.read(20).strip() or "?"
            raise InUse(
                f"{data_dir} is in use: another {role} runs there (process {pid}); stop that one first"
            ) from None
        _record_pid(number)
        yield


def _record_pid(number: int) -> None:
    """Write our process id into the lock file, for the message of InUse; a full disk leaves it empty."""
    with contextlib.suppress(OSError):
        os.ftruncate(number, 0)
        os.pwrite(number, str(os.getpid()).encode(), 0)
