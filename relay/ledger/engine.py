"""Opens the database, runs transactions on it, and turns its errors into ours (ledger's ground floor)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Self


class Database:
    """One open database; the parts of the ledger build on it."""

    @classmethod
    def open(cls, url: str, *, create: bool = True, patience: timedelta = timedelta(seconds=3)) -> Self:
        """Open the ledger at `url` (`sqlite:////path/ledger.db`, `postgresql://user:password@host/name`).

        With `create` the file (0600, its folder 0700) is made and the schema brought to this release, under a lock:
        any number of processes may start at once. Without it a ledger that does not exist or is of an earlier release
        raises LedgerError. `patience` is how long any call waits for a lock or a connection before LedgerBusy.
        Raises LedgerTooNew for one written by a later release, LedgerBusy, LedgerError.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close all connections. Transactions must have ended."""
        raise NotImplementedError


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite ledger in the file `path`."""
    raise NotImplementedError
