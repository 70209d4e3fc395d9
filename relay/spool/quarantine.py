"""The quarantine: parked mails, unchanged, one file each (ingest → quarantine → housekeeping).

Guarantee: a mail for which `put` returned is on the disk, with its name. Nothing here is redacted.
"""

from __future__ import annotations

import os
from pathlib import Path

from relay.errors import SpoolError
from relay.model import Record
from relay.spool.disk import make_folder, opened, sync, sync_folder, write_all


class Quarantine:
    """The folder of the parked mails."""

    def __init__(self, folder: Path) -> None:
        """The folder is created with the first mail."""
        self._folder = folder

    def put(self, spool_id: str, record: Record) -> str:
        """Write a mail to its own file (0600) and return the path. Raises SpoolError and then leaves no file."""
        path = self._folder / f"{spool_id}-{record.position}.eml"
        try:
            if not self._folder.is_dir():
                make_folder(self._folder)
            self._write(path, record.content)
        except OSError as error:
            raise SpoolError(f"a parked mail cannot be written to {path}: {error.strerror}") from error
        return str(path)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            with opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
                write_all(fd, content, 0)
                sync(fd)
            sync_folder(self._folder)
        except OSError:
            path.unlink(missing_ok=True)
            raise
