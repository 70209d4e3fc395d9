"""The local mailbox: a Maildir in the data directory that stores digests as long as no upstream is set.

The dashboard shows its mails. Guarantee: a stored mail and its directory entry are on disk before `deliver` returns. A
message that is tried again is stored once, and replaces what an unfinished try left. Folders have mode 0700, files
0600. The file name is a hash of the Message-ID, so nothing in a mail can choose it.
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

from relay.deliver.replies import os_error_text
from relay.model import Attempt, Failure, RecipientReply, Verdict

FOLDERS = ("tmp", "new", "cur")
STORED = RecipientReply(verdict=Verdict.ACCEPTED, code=250, text="stored in the local mailbox")


class Mailbox:
    """A Maildir that accepts every message for every recipient."""

    max_duration = timedelta(seconds=30)
    """The longest time that one `deliver` takes on a working disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return f"local mailbox {self._folder}"

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Store `raw` (a complete mail) once for all `recipients`.

        Calls `before_data` before the mail is visible to readers.
        """
        name = _file_name(raw)
        try:
            self._create_folders()
            if self._find(name) is None:
                self._write(name, raw)
                before_data()
                self._publish(name)
        except OSError as error:
            return Attempt(replies={}, failure=Failure.MAILBOX, detail=f"{self}: {os_error_text(error)}")
        return Attempt(replies=dict.fromkeys(recipients, STORED))

    def abort(self) -> None:
        """Do nothing: no call here takes long enough to be stopped."""

    def mails(self) -> list[Path]:
        """Return the files of the stored mails, newest first."""
        return [path for _, path in sorted(self._dated(), reverse=True)]

    def expire(self, before: datetime, *, at_most: int) -> int:
        """Remove mails stored before this time, and the oldest ones above `at_most`. Returns the number removed."""
        dated = sorted(self._dated(), reverse=True)
        old = [path for rank, (at, path) in enumerate(dated) if at < before or rank >= at_most]
        old += [path for at, path in self._dated(("tmp",)) if at < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _create_folders(self) -> None:
        for folder in (self._folder, *(self._folder / name for name in FOLDERS)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _find(self, name: str) -> Path | None:
        """Return the mail with this name, unread (`new`) or read (`cur`, with flags after a colon)."""
        return next((path for path in self._paths() if path.name.partition(":")[0] == name), None)

    def _paths(self, folders: Sequence[str] = ("new", "cur")) -> Iterator[Path]:
        for folder in folders:
            with suppress(FileNotFoundError):
                yield from (self._folder / folder).iterdir()

    def _dated(self, folders: Sequence[str] = ("new", "cur")) -> Iterator[tuple[datetime, Path]]:
        for path in self._paths(folders):
            with suppress(FileNotFoundError):  # a mail reader has moved it meanwhile
                yield datetime.fromtimestamp(path.stat().st_mtime, UTC), path

    def _write(self, name: str, raw: bytes) -> None:
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW
        with open(os.open(self._folder / "tmp" / name, flags, 0o600), "wb") as file:  # noqa: PTH123 -- sets the mode at creation
            file.write(raw.replace(b"\r\n", b"\n"))  # a Maildir has LF line ends
            file.flush()
            os.fsync(file.fileno())

    def _publish(self, name: str) -> None:
        """Move a written mail into `new`, where readers look, and sync the folders' entries."""
        os.replace(self._folder / "tmp" / name, self._folder / "new" / name)  # noqa: PTH105 -- os functions throughout, as for fsync
        for folder in (self._folder / "new", self._folder, self._folder.parent):
            directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _file_name(raw: bytes) -> str:
    """Return the file name of a message: the same for each try."""
    message_id = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)["Message-ID"]
    return hashlib.sha256(str(message_id).encode() if message_id else raw).hexdigest()[:32]
