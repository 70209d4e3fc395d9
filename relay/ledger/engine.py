"""Opens the database and runs transactions on it (ledger's ground floor).

Every transaction is begun here: `_read` sees one moment and waits for nobody, `_write` keeps what it reads until it
ends. On SQLite there is one writer at a time; on PostgreSQL writers pass a gate (see `postgres`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from relay.errors import LedgerError
from relay.failpoint import reach
from relay.ledger.backends.errors import translated
from relay.ledger.backends.postgres import Postgres
from relay.ledger.backends.sqlite import Sqlite
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.migrate import is_current, require_current, upgrade


class Backend(Protocol):
    """What the two databases do differently."""

    engine: Engine

    def create(self) -> None:
        """Make what must be there before a connection can be."""

    def require(self) -> None:
        """Raise LedgerError where there is nothing to connect to."""

    def is_set_up(self, connection: Connection) -> bool:
        """Whether `migrating` has nothing to set."""

    def migrating(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction, committed at the end of the block, while no other process migrates."""

    def begin_read(self, connection: Connection) -> None:
        """Begin a transaction that sees one moment."""

    def begin_write(self, connection: Connection, gate: WriteMode) -> None:
        """Begin a transaction that writes, past the gate."""

    def examine(self) -> None:
        """Raise LedgerDamaged where opening it would forget commits without a word."""

    def verify(self, connection: Connection) -> None:
        """Raise LedgerDamaged where what is stored cannot all be read."""

    def shrink(self, connection: Connection, pages: int) -> None:
        """Give free space back to the file system; outside of a transaction."""


class Database:
    """One open database; the parts of the ledger build on it."""

    def __init__(self, backend: Backend, password: str | None) -> None:
        self._backend = backend
        self._password = password

    @classmethod
    def open(
        cls, url: str, *, create: bool = True, verify: bool = False, lock_timeout: timedelta = timedelta(seconds=3)
    ) -> Self:
        """Open the ledger at `url` (`sqlite:////path/ledger.db`, `postgresql://user:password@host/name`).

        With `create` the file (0600, its folder 0700) is made and the schema brought to this release, under a lock:
        any number of processes may start at once. Without it a ledger that does not exist or is of an earlier release
        raises LedgerError. With `verify` a SQLite ledger is read from end to end first (for the worker, while nobody
        else writes). `lock_timeout` is how long any call waits for a lock or a connection before LedgerBusy.
        Raises LedgerTooNew for one written by a later release, LedgerDamaged, LedgerBusy, LedgerError.
        """
        address = _parsed(url)
        password = None if address.password is None else str(address.password)
        with translated(password):
            database = cls(_backend(address, lock_timeout), password)
            try:
                if verify:
                    database._backend.examine()
                database._prepare(create=create)
                if verify:
                    database._verify()
            except BaseException:
                database.close()
                raise
        return database

    def close(self) -> None:
        """Close all connections. Transactions must have ended."""
        self._backend.engine.dispose()

    def _verify(self) -> None:
        with self._backend.engine.connect() as connection:
            self._backend.verify(connection)

    def _prepare(self, *, create: bool) -> None:
        if not create:
            self._backend.require()
            with self._read() as connection:
                require_current(connection)
            return
        self._backend.create()
        with self._backend.engine.connect() as connection:
            ready = self._backend.is_set_up(connection) and is_current(connection)
        if not ready:
            with self._backend.migrating() as connection:
                upgrade(connection)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """One moment of the ledger, read only."""
        with translated(self._password), self._backend.engine.begin() as connection:
            self._backend.begin_read(connection)
            yield connection

    @contextmanager
    def _write(self, gate: WriteMode) -> Iterator[Connection]:
        """One transaction that writes: durable after the block, without effect where the block raises."""
        with translated(self._password), self._backend.engine.begin() as connection:
            self._backend.begin_write(connection, gate)
            yield connection
            reach("ledger.commit")
        reach("ledger.committed")

    def _shrink(self, pages: int) -> None:
        """Give up to `pages` free pages back to the file system."""
        with translated(self._password), self._backend.engine.connect() as connection:
            self._backend.shrink(connection, pages)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite ledger in the file `path`."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite ledger, None for one on a server. Raises LedgerError for what is no URL."""
    address = _parsed(url)
    return Path(address.database or "") if address.drivername.startswith("sqlite") else None


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise LedgerError(
            "the ledger's URL cannot be read; it looks like postgresql://user:password@host/name"
        ) from None


def _backend(url: URL, lock_timeout: timedelta) -> Backend:
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return Sqlite(url, lock_timeout)
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return Postgres(url, lock_timeout)
    raise LedgerError(f"a ledger is kept in sqlite or postgresql, not in {url.drivername!r}")
