"""SQLite for the ledger: one file, durable at each commit, readers that never wait (base layer of the ledger).

The transaction control of the driver is off (`isolation_level = None`). The driver begins a transaction late, and one
that reads before it writes then fails instead of waiting. So this module begins transactions itself. A write begins
with IMMEDIATE: it waits for the lock for at most `lock_timeout`, and nothing that it reads changes afterwards. With the
write-ahead log, readers see the last commit and block nobody.

See the sections on transactions in SQLAlchemy's page on SQLite, and https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from relay.errors import LedgerBusy, LedgerDamaged, LedgerError
from relay.ledger.backends.errors import REPAIR
from relay.ledger.backends.wal import missing_commits
from relay.ledger.backends.write_mode import WriteMode

_LOG_LIMIT = 16 * 1024 * 1024
"""Bytes to which a checkpoint truncates the write-ahead log. A burst may need more for a while."""
_CACHE_KIB = 8 * 1024
"""Page cache of one connection, in KiB."""


class Sqlite:
    """A ledger in one SQLite file."""

    def __init__(self, url: URL, lock_timeout: timedelta) -> None:
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise LedgerError("a SQLite ledger needs a file: sqlite:////folder/ledger.db")
        self.path = Path(url.database)
        seconds = lock_timeout.total_seconds()
        self.engine: Engine = create_engine(
            url, hide_parameters=True, pool_timeout=seconds, connect_args={"timeout": seconds}
        )
        event.listen(self.engine, "connect", _on_connect)

    def require(self) -> None:
        """Raise LedgerError where the file does not exist or cannot be a ledger."""
        if not self.path.exists():
            raise LedgerError(f"there is no ledger {self.path} yet; the relay makes it when it starts")
        require_file(self.path)

    def is_set_up(self, connection: Connection) -> bool:
        """Whether the file uses the write-ahead log (a copy made by VACUUM INTO does not)."""
        return connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

    def create(self) -> None:
        """Create the file with mode 0600. It is never empty, since an empty file counts as damaged.

        A file that exists is not opened: closing it would drop SQLite's locks. Raises LedgerBusy for OS errors.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.path.lexists(self.path):
                with self._locked():
                    self._create_file()
        except OSError as error:
            raise LedgerBusy(f"the ledger {self.path} cannot be made: {error.strerror}") from None
        require_file(self.path)

    def _create_file(self) -> None:
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect only in an empty file
                connection.execute("VACUUM")  # writes the first page
            if not os.path.lexists(self.path):  # another process may have created it first
                draft.rename(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def begin_read(self, connection: Connection) -> None:
        """Begin a read transaction that sees one snapshot."""
        connection.exec_driver_sql("BEGIN")

    def begin_write(self, connection: Connection, mode: WriteMode) -> None:
        """Begin a write transaction. SQLite allows one at a time, whatever `mode` says."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Switch to the write-ahead log. Yield a connection in a transaction that excludes other migrations."""
        with self._locked(), self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL").close()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock file beside the ledger: the switch to the write-ahead log fails instead of waiting for a lock."""
        descriptor = os.open(f"{self.path}-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def check_log(self) -> None:
        """Raise LedgerDamaged where SQLite would silently drop commits from the log when it opens the file."""
        if self.path.is_file() and (damage := missing_commits(self.path)):
            raise LedgerDamaged(f"the ledger {self.path} is damaged ({damage}); {REPAIR}")

    def check_pages(self, connection: Connection) -> None:
        """Read every page of the file. Raises LedgerDamaged where one is not valid."""
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            damage = " ".join(str(found).split())
            raise LedgerDamaged(f"the ledger {self.path} is damaged ({damage}); {REPAIR}")

    def shrink(self, connection: Connection, pages: int) -> None:
        """Return up to `pages` free pages to the file system."""
        driver: Any = connection.connection.driver_connection
        driver.executescript(f"PRAGMA incremental_vacuum({pages})")  # on Python 3.11, `execute` frees only one page


def require_file(path: Path) -> None:
    """Raise LedgerError where `path` is no file or is not readable, and LedgerDamaged where it is empty."""
    if not path.is_file():
        raise LedgerError(f"the ledger {path} is no file: move away what is there, or name another in storage.ledger")
    if not os.access(path, os.R_OK):
        advice = "it must belong to the relay's user"
        raise LedgerError(f"the ledger {path} may not be read by user {os.geteuid()}: {advice}")
    if path.stat().st_size == 0:
        raise LedgerDamaged(f"the ledger {path} is damaged (it is empty); {REPAIR}")


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "synchronous = FULL",
        "fullfsync = ON",  # for macOS, where fsync does not flush the cache of the disk
        "foreign_keys = ON",
        f"journal_size_limit = {_LOG_LIMIT}",
        f"cache_size = -{_CACHE_KIB}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
