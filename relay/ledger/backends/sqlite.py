"""SQLite as the ledger wants it: one file, durable at each commit, readers that never wait (ledger's ground floor).

The driver's own transaction control is off (`isolation_level = None`): it begins late, and a transaction that reads
before it writes then fails instead of waiting. We begin ourselves: IMMEDIATE to write, so that a writer waits its turn
for at most `lock_timeout` and then holds what it reads. Write-ahead log: readers see the last commit and block nobody.
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
"""What the write-ahead log is cut back to after a checkpoint; a burst may need more for a while."""
_CACHE_KIB = 8 * 1024
"""Per connection."""


class Sqlite:
    """The ledger in a file."""

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
        """Raise LedgerError where there is no file, or none that could be a ledger."""
        if not self.path.exists():
            raise LedgerError(f"there is no ledger {self.path} yet; the relay makes it when it starts")
        require_file(self.path)

    def is_set_up(self, connection: Connection) -> bool:
        """Whether readers already go by the write-ahead log (a copy made by VACUUM INTO does not)."""
        return connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

    def create(self) -> None:
        """Make the file, for its owner alone; never an empty one, which is what damage looks like.

        One that exists is not touched: closing it would drop SQLite's locks.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.path.lexists(self.path):
                with self._locked():
                    self._make()
        except OSError as error:
            raise LedgerBusy(f"the ledger {self.path} cannot be made: {error.strerror}") from None
        require_file(self.path)

    def _make(self) -> None:
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded in an empty file only
                connection.execute("VACUUM")  # writes a first page
            if not os.path.lexists(self.path):  # another process may have been the first
                draft.rename(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def begin_read(self, connection: Connection) -> None:
        """Begin a transaction that sees one moment."""
        connection.exec_driver_sql("BEGIN")

    def begin_write(self, connection: Connection, gate: WriteMode) -> None:
        """Begin a transaction that writes; there is only ever one."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A connection in a transaction, while no other process migrates; sets what the file keeps for good."""
        with self._locked(), self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL").close()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock file beside the ledger: the switch to the write-ahead log does not wait for a lock by itself."""
        lock = os.open(f"{self.path}-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def examine(self) -> None:
        """Raise LedgerDamaged where opening it would forget commits without a word."""
        if self.path.is_file() and (wrong := missing_commits(self.path)):
            raise LedgerDamaged(f"the ledger {self.path} is damaged ({wrong}); {REPAIR}")

    def verify(self, connection: Connection) -> None:
        """Raise LedgerDamaged where a page of the file is not what it should be; reads all of them."""
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            words = " ".join(str(found).split())
            raise LedgerDamaged(f"the ledger {self.path} is damaged ({words}); {REPAIR}")

    def shrink(self, connection: Connection, pages: int) -> None:
        """Give up to `pages` free pages back to the file system."""
        driver: Any = connection.connection.driver_connection
        driver.executescript(f"PRAGMA incremental_vacuum({pages})")  # `execute` frees one page only on Python 3.11


def require_file(path: Path) -> None:
    """Raise LedgerError where `path` cannot be a ledger at first sight: a folder, not ours to read, cut to nothing."""
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
        "fullfsync = ON",  # macOS, where fsync alone does not reach the platter
        "foreign_keys = ON",
        f"journal_size_limit = {_LOG_LIMIT}",
        f"cache_size = -{_CACHE_KIB}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
