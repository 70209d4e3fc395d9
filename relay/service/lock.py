"""One process for each role and data directory: the lock that it holds, and the folder that is its owner's alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from relay.data_dir import DataDir
from relay.errors import InUse, RelayError


class NoState(RelayError):
    """The data directory cannot be made or written."""


def make_private_folder(folder: Path) -> Path:
    """Create `folder` for us alone (0700) where it is missing and return it. Raises NoState."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        advice = "set storage.data_dir to a folder that this user may write"
        raise NoState(f"no state can be kept in {folder}: {error.strerror}; {advice}") from error
    return folder


@contextlib.contextmanager
def hold_lock(data_dir: Path, role: str) -> Iterator[None]:
    """Hold the lock of `role` on the data directory for as long as the block runs; a killed process lets go of it.

    Raises InUse where another process holds it, NoState.
    """
    path = DataDir(make_private_folder(data_dir)).lock(role)
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NoState(f"{path} cannot be written: {error.strerror}; it must belong to this user") from error
    with os.fdopen(number, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = file.read(20).strip() or "?"
            raise InUse(
                f"{data_dir} is in use: another {role} runs there (process {pid}); stop that one first"
            ) from None
        _sign(number)
        yield


def _sign(number: int) -> None:
    """Leave word of who holds the lock; on a full disk the lock alone has to do."""
    with contextlib.suppress(OSError):
        os.ftruncate(number, 0)
        os.pwrite(number, str(os.getpid()).encode(), 0)
