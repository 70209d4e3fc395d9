"""The stored access token and refresh token of one account, and the lock under which they change.

The folder has mode 0700, each file 0600. Root may run `relay login` for the service, so what it creates here belongs to
the owner of the folder above. The names are hashes of the account, so that another account never gets a wrong token.

Guarantee: a file is complete or not there. Of all processes on this machine, one at a time holds the lock; the kernel
releases the lock of a process that was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

from relay.deliver.oauth2.token import Token, from_json, to_json

LOCK_POLL = 0.05
"""Seconds between two attempts to get the lock."""
MAX_FILE = 64 * 1024
"""Bytes of a stored token that are read."""


class TokenFiles:
    """The files of one account in `folder`, which is created on the first write."""

    def __init__(self, folder: Path, account: str) -> None:
        """`account` identifies the account, its application and its provider; only its hash is used."""
        self._folder = folder
        name = hashlib.sha256(account.encode()).hexdigest()[:16]
        self._token, self._refresh, self._lock = (
            folder / f"{kind}-{name}" for kind in ("access", "refresh", "refresh-lock")
        )

    def readable(self) -> bool:
        """Return whether this user may look at the stored tokens; True if there are none."""
        try:
            self._refresh.stat()
        except PermissionError:
            return False
        except OSError:
            return True
        return os.access(self._refresh, os.R_OK)

    def token(self) -> Token | None:
        """Return the stored access token; None if there is none, or this user may not read it."""
        text = _read(self._token)
        return from_json(text) if text else None

    def store_token(self, token: Token) -> None:
        """Store the access token. A disk that cannot be written loses nothing but the sharing of it."""
        with contextlib.suppress(OSError):
            self._write(self._token, to_json(token))

    def refresh_token(self, replaces: str = "") -> str:
        """Return the stored refresh token, "" if there is none.

        `replaces` is the refresh token of the settings, if one is set: a stored token that came from another one
        does not count.
        """
        try:
            found = json.loads(_read(self._refresh) or "{}")
        except (ValueError, RecursionError):
            return ""
        if not isinstance(found, dict) or found.get("replaces", "") != _digest(replaces):
            return ""
        token = found.get("refresh_token", "")
        return token if isinstance(token, str) else ""

    def store_refresh_token(self, token: str, replaces: str = "") -> None:
        """Store the refresh token that a login or a refresh gave. Raises OSError."""
        self._write(self._refresh, json.dumps({"refresh_token": token, "replaces": _digest(replaces)}))

    @contextlib.asynccontextmanager
    async def locked(self, seconds: float) -> AsyncIterator[bool]:
        """Hold the lock for the block; yields False if another process held it for `seconds`.

        Where the lock file cannot be written, the block runs without the lock: to log in is more important.
        """
        try:
            number = self._open_lock()
        except OSError:
            yield True
            return
        try:
            yield await _lock(number, seconds)
        finally:
            os.close(number)  # releases the lock

    def _open_lock(self) -> int:
        self._make_folder()
        number = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _give_to_owner(number, self._folder)
        return number

    def _make_folder(self) -> None:
        missing = [each for each in (self._folder, *self._folder.parents) if not each.is_dir()]
        for folder in reversed(missing):  # one by one: with `parents` the data directory would be open to others
            folder.mkdir(mode=0o700, exist_ok=True)
            with _opened(folder, os.O_RDONLY) as number:
                _give_to_owner(number, folder.parent)

    def _write(self, file: Path, text: str) -> None:
        self._make_folder()
        number, draft = tempfile.mkstemp(dir=self._folder, prefix=".new-")  # with mode 0600
        try:
            with os.fdopen(number, "w") as opened:
                _give_to_owner(number, self._folder)
                opened.write(text)
                opened.flush()
                os.fsync(number)
            Path(draft).replace(file)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(draft).unlink()
            raise
        with _opened(self._folder, os.O_RDONLY) as folder:
            os.fsync(folder)


async def _lock(number: int, seconds: float) -> bool:
    deadline = monotonic() + seconds
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= deadline:
                return False
            await asyncio.sleep(LOCK_POLL)
        except OSError:  # a file system without locks
            return True
        else:
            return True


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_FILE).decode()
    except (OSError, UnicodeDecodeError):
        return ""


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    number = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield number
    finally:
        os.close(number)


def _give_to_owner(number: int, folder: Path) -> None:
    """Let a file that root created belong to the owner of `folder`, who must be able to use it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(number, owner.st_uid, owner.st_gid)
