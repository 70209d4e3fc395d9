"""The fallback folder: mails on disk while the relay is unavailable for long.

Used by the sending thread, and by a handler while it closes. Each mail is one file. The file is complete when its name
appears, and only this user can read it. Several processes, also later ones, share the folder. Guarantees: only one
process at a time sends a mail, because it claims the mail by a rename; another process takes over the claims of a dead
process after ten minutes. If a mail is sent twice nevertheless, both have the same record id, and the relay counts it
once. Mails survive the end of the process. They may not survive a power cut: nothing is synced to disk.
"""

import contextlib
import errno
import json
import os
import re
import stat
import time
import uuid
from collections import deque
from dataclasses import dataclass
from pathlib import Path

MAX_FILES = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""Limits of a folder. Several processes that store within the same second may exceed them by that second's mails."""
_MAX_MAIL = 8 * 1024 * 1024  # bytes of a file: the largest encoded report
_CLAIM_TIMEOUT = 600.0  # seconds after which a claim or an unfinished file counts as left by a dead process
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NAME = re.compile(
    r"\d{15,17}-[0-9a-f]{32}-(?P<count>\d{1,8})\.(?:mail|(?P<claimed_at>\d{1,12})-[0-9a-f]{32}\.claimed)"
)
_SIZE_VALID_FOR = 1.0  # seconds until the size of the folder is measured again


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail and its envelope."""

    sender: str
    recipients: list[str]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A mail in the folder that this process has claimed."""

    path: Path
    count: int
    """Number of errors that the mail stands for, including those that it reports as dropped."""

    def read(self) -> Mail:
        """Return the mail. Raises ValueError for a foreign or incomplete file, OSError if it cannot be read."""
        with os.fdopen(os.open(self.path, _READING), "rb") as file:
            head, _, content = file.read(_MAX_MAIL).partition(b"\n")
        facts = json.loads(head)
        match facts:
            case {"sender": str(sender), "recipients": [*recipients], "size": size} if size == len(content):
                return Mail(sender=sender, recipients=[str(each) for each in recipients], content=content)
        raise ValueError("not a complete mail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The content of a folder."""

    mails: int
    count: int
    """Number of errors that the mails stand for."""
    size: int
    """Bytes of all files, including foreign ones."""
    is_full: bool
    """True if a limit of the folder is reached."""


class Fallback:
    """One process's view of a folder. The first `store` creates the folder. Not thread-safe, except `store`.

    File names are `MILLISECONDS-RECORD-COUNT.mail`; a claimed mail ends in `.SECONDS-TOKEN.claimed` instead of `.mail`.
    """

    def __init__(self, folder: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self._limits = (max_files, max_bytes)
        self._known: deque[str] = deque()
        self._size = (0.0, 0, 0)  # time of the last measurement, files, bytes

    def store(self, mail: Mail, *, created: float, record_id: str, count: int) -> None:
        """Write a mail. Raises OSError if the folder cannot be written or is full."""
        facts = {"sender": mail.sender, "recipients": mail.recipients, "size": len(mail.content)}
        text = json.dumps(facts).encode() + b"\n" + mail.content
        self._prepare_folder()
        self._reserve(len(text))
        name = self.folder / f"{max(0, int(created * 1000)):015d}-{record_id}-{count}"
        draft = name.with_suffix(f".{uuid.uuid4().hex}.new")
        try:
            with os.fdopen(os.open(draft, _WRITING, 0o600), "wb") as file:
                file.write(text)
            draft.replace(name.with_suffix(".mail"))
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise

    def claim(self) -> Stored | None:
        """Claim the oldest mail that no living process has claimed; None without such a mail."""
        for _ in range(2):
            while self._known:
                if (stored := self._claim(self._known.popleft())) is not None:
                    return stored
            self._known = deque(sorted(self._names()))
        return None

    def release(self, stored: Stored) -> None:
        """Give up the claim: any process may claim the mail again."""
        with contextlib.suppress(OSError):
            stored.path.rename(self.folder / f"{_stem(stored.path.name)}.mail")
        self._known.clear()

    def remove(self, stored: Stored) -> None:
        """Delete a mail that is settled."""
        with contextlib.suppress(OSError):
            stored.path.unlink()

    def survey(self) -> Survey:
        """Return what the folder contains; change nothing. Raises OSError if the folder cannot be read."""
        paths = list(self.folder.iterdir())
        counts = [int(found["count"]) for path in paths if (found := _NAME.fullmatch(path.name))]
        size = 0
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # another process has just sent it
                size += path.lstat().st_size
        is_full = len(paths) >= self._limits[0] or size >= self._limits[1]
        return Survey(mails=len(counts), count=sum(counts), size=size, is_full=is_full)

    def _names(self) -> list[str]:
        with contextlib.suppress(OSError):
            return [name for name in os.listdir(self.folder) if _can_be_claimed(name)]  # noqa: PTH208 - names suffice
        return []

    def _claim(self, name: str) -> Stored | None:
        stem = _stem(name)
        path = self.folder / f"{stem}.{int(time.time())}-{uuid.uuid4().hex}.claimed"
        try:
            (self.folder / name).rename(path)
        except OSError:  # another process was faster
            return None
        return Stored(path=path, count=int(stem.rpartition("-")[2]))

    def _prepare_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_world_writable(self.folder):
            raise PermissionError(errno.EACCES, "every user may write to the folder")

    def _reserve(self, size: int) -> None:
        counted_at, files, total = self._size
        if not 0 <= time.monotonic() - counted_at < _SIZE_VALID_FOR:
            counted_at, (files, total) = time.monotonic(), self._measure()
        if files >= self._limits[0] or total + size > self._limits[1]:
            raise OSError(errno.ENOSPC, "the folder has reached its limit of files or bytes")
        self._size = (counted_at, files + 1, total + size)

    def _measure(self) -> tuple[int, int]:
        """Return the number of files and of bytes. Deletes unfinished files of dead processes on the way."""
        sizes = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(".new") and time.time() - found.st_mtime > _CLAIM_TIMEOUT:
                        (self.folder / entry.name).unlink()
                    else:
                        sizes.append(found.st_size)
        return len(sizes), sum(sizes)


def is_world_writable(folder: Path) -> bool:
    """Return True if every user may write to the folder. Raises OSError if its mode cannot be read."""
    return os.name == "posix" and bool(folder.stat().st_mode & stat.S_IWOTH)


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _can_be_claimed(name: str) -> bool:
    """Return True for a mail that is not claimed, or whose claim is so old that its process must be dead."""
    found = _NAME.fullmatch(name)
    if found is None or found["claimed_at"] is None:
        return found is not None
    return abs(time.time() - int(found["claimed_at"])) > _CLAIM_TIMEOUT
