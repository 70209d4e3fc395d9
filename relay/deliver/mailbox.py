"""Where digests go while no upstream is set: a Maildir in the data directory, which the dashboard shows.

Guarantee: a mail that was taken is on disk, its name included, before `deliver` returns; the same letter tried again
takes the place of what an earlier try left and is there once. Folders are 0700, files 0600. The file name is made of
the Message-ID's digest alone, so nothing in a mail can choose it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import policy
from email.parser import BytesHeaderParser
from pathlib import Path

from relay.deliver.replies import os_words
from relay.model import Attempt, Failure, RecipientReply, Verdict

FOLDERS = ("tmp", "new", "cur")
TAKEN = RecipientReply(verdict=Verdict.ACCEPTED, code=250, text="in the local mailbox")


class Mailbox:
    """A Maildir that takes every letter for every recipient."""

    longest = timedelta(seconds=30)
    """The longest that one `deliver` takes on a disk that works."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return f"local mailbox {self._folder}"

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Store `raw` (a whole mail), once for all `recipients`; `before_data` is called before it can be seen."""
        name = _name(raw)
        try:
            self._make()
            if self._find(name) is None:
                self._write(name, raw)
                before_data()
                self._show(name)
        except OSError as error:
            return Attempt(replies={}, failure=Failure.MAILBOX, detail=f"{self}: {os_words(error)}")
        return Attempt(replies=dict.fromkeys(recipients, TAKEN))

    def abort(self) -> None:
        """Nothing here takes long enough to be stopped."""

    def mails(self) -> list[Path]:
        """The stored mails, newest first."""
        return [path for _, path in sorted(self._dated(), reverse=True)]

    def expire(self, before: datetime, *, at_most: int) -> int:
        """Unlink mails stored before a moment, and the oldest beyond `at_most`; returns how many went."""
        dated = sorted(self._dated(), reverse=True)
        old = [path for place, (at, path) in enumerate(dated) if at < before or place >= at_most]
        old += [path for at, path in self._dated(("tmp",)) if at < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _make(self) -> None:
        for folder in (self._folder, *(self._folder / name for name in FOLDERS)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _find(self, name: str) -> Path | None:
        """Return the mail of that name, read (`cur`, with flags after a colon) or not."""
        return next((path for path in self._paths() if path.name.partition(":")[0] == name), None)

    def _paths(self, folders: Sequence[str] = ("new", "cur")) -> Iterator[Path]:
        for folder in folders:
            with suppress(FileNotFoundError):
                yield from (self._folder / folder).iterdir()

    def _dated(self, folders: Sequence[str] = ("new", "cur")) -> Iterator[tuple[datetime, Path]]:
        for path in self._paths(folders):
            with suppress(FileNotFoundError):  # a mail reader moved it meanwhile
                yield datetime.fromtimestamp(path.stat().st_mtime, UTC), path

    def _write(self, name: str, raw: bytes) -> None:
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW
        with open(os.open(self._folder / "tmp" / name, flags, 0o600), "wb") as file:  # noqa: PTH123 -- with its mode from the start
            file.write(raw.replace(b"\r\n", b"\n"))  # a Maildir's line ends
            file.flush()
            os.fsync(file.fileno())

    def _show(self, name: str) -> None:
        """Move a written mail where readers look, and make the folders' entries durable."""
        os.replace(self._folder / "tmp" / name, self._folder / "new" / name)  # noqa: PTH105 -- beside fsync, as one
        for folder in (self._folder / "new", self._folder, self._folder.parent):
            directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _name(raw: bytes) -> str:
    """Return the name under which a letter is stored: the same for each try of it."""
    message_id = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)["Message-ID"]
    return hashlib.sha256(str(message_id).encode() if message_id else raw).hexdigest()[:32]
