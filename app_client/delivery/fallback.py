"""The folder where mails wait while the relay is away for long; of use to the sending thread, and to a closing handler.

One file a mail, complete when its name appears and readable for this user alone; several processes, also of another
start, share the folder. Guarantee: a mail is with one process at a time, because who sends it has renamed it first,
and what a dead process had claimed is taken over after ten minutes. Should it go out twice all the same, it has the
same record id, by which the relay counts it once. Survives the end of the process; against a power cut nothing is done.
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
"""What a folder takes; several processes that store in the same second may overstep it by that second's mails."""
_MAX_MAIL = 8 * 1024 * 1024  # bytes of a file: what a report can become, encoded
_ABANDONED = 600.0  # seconds until what a process has begun and not ended is taken for another's
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NAME = re.compile(
    r"\d{15,17}-[0-9a-f]{32}-(?P<count>\d{1,8})\.(?:mail|(?P<claimed_at>\d{1,12})-[0-9a-f]{32}\.claimed)"
)
_FRESH = 1.0  # seconds for which the folder's size is believed


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A mail and its envelope."""

    sender: str
    recipients: list[str]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A mail of the folder that this process has claimed."""

    path: Path
    count: int
    """Occurrences that it stands for, those it tells as dropped included."""

    def read(self) -> OutboxMessage:
        """Raises ValueError for a file that is not one of ours or not whole, OSError for one that cannot be read."""
        with os.fdopen(os.open(self.path, _READING), "rb") as file:
            head, _, content = file.read(_MAX_MAIL).partition(b"\n")
        facts = json.loads(head)
        match facts:
            case {"sender": str(sender), "recipients": [*recipients], "size": size} if size == len(content):
                return OutboxMessage(sender=sender, recipients=[str(each) for each in recipients], content=content)
        raise ValueError("not a whole mail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a folder holds."""

    mails: int
    count: int
    """Occurrences that these stand for."""
    size: int
    """Bytes, with whatever else is in the folder."""
    is_full: bool
    """True when it holds as much as it may."""


class Fallback:
    """One folder, as one process sees it; it is made when first needed. Not for two threads at once, but for `store`.

    Names are `MILLISECONDS-RECORD-COUNT.mail`, with `.SECONDS-TOKEN.claimed` in place of `.mail` while claimed.
    """

    def __init__(self, folder: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self._limits = (max_files, max_bytes)
        self._known: deque[str] = deque()
        self._size = (0.0, 0, 0)  # when it was last counted, files, bytes

    def store(self, letter: OutboxMessage, *, created: float, record_id: str, count: int) -> None:
        """Write a mail; raises OSError when the folder cannot be written or holds as much as it may."""
        facts = {"sender": letter.sender, "recipients": letter.recipients, "size": len(letter.content)}
        text = json.dumps(facts).encode() + b"\n" + letter.content
        self._make_ready()
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
        """The oldest mail that no living process has claimed, now this one's; None when there is none to be had."""
        for _ in range(2):
            while self._known:
                if (stored := self._claim(self._known.popleft())) is not None:
                    return stored
            self._known = deque(sorted(self._names()))
        return None

    def release(self, stored: Stored) -> None:
        """Let others, or this process later, have it."""
        with contextlib.suppress(OSError):
            stored.path.rename(self.folder / f"{_stem(stored.path.name)}.mail")
        self._known.clear()

    def remove(self, stored: Stored) -> None:
        """It is settled."""
        with contextlib.suppress(OSError):
            stored.path.unlink()

    def survey(self) -> Survey:
        """Count, and change nothing; raises OSError when the folder cannot be read."""
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
            return [name for name in os.listdir(self.folder) if _is_free(name)]  # noqa: PTH208 - names are what is wanted
        return []

    def _claim(self, name: str) -> Stored | None:
        stem = _stem(name)
        path = self.folder / f"{stem}.{int(time.time())}-{uuid.uuid4().hex}.claimed"
        try:
            (self.folder / name).rename(path)
        except OSError:  # another process was faster
            return None
        return Stored(path=path, count=int(stem.rpartition("-")[2]))

    def _make_ready(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_open_to_all(self.folder):
            raise PermissionError(errno.EACCES, "anybody may write to the folder")

    def _reserve(self, size: int) -> None:
        counted_at, files, total = self._size
        if not 0 <= time.monotonic() - counted_at < _FRESH:
            counted_at, (files, total) = time.monotonic(), self._measure()
        if files >= self._limits[0] or total + size > self._limits[1]:
            raise OSError(errno.ENOSPC, "the folder holds as much as it may")
        self._size = (counted_at, files + 1, total + size)

    def _measure(self) -> tuple[int, int]:
        """Number of files and bytes; drafts that a dead process has left go on this occasion."""
        sizes = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(".new") and time.time() - found.st_mtime > _ABANDONED:
                        (self.folder / entry.name).unlink()
                    else:
                        sizes.append(found.st_size)
        return len(sizes), sum(sizes)


def is_open_to_all(folder: Path) -> bool:
    """True where anybody may put a mail of theirs; raises OSError when the folder cannot be looked at."""
    return os.name == "posix" and bool(folder.stat().st_mode & stat.S_IWOTH)


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _is_free(name: str) -> bool:
    """True for a mail that waits, or whose claim is so old that its process must be gone."""
    found = _NAME.fullmatch(name)
    if found is None or found["claimed_at"] is None:
        return found is not None
    return abs(time.time() - int(found["claimed_at"])) > _ABANDONED
