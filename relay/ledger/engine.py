"""Open the database and run transactions on it (base layer of the ledger).

Every transaction begins here. `_read` sees one snapshot and waits for nobody. `_write` sees no changes by others that
its WriteMode excludes. SQLite has one writer at a time; on PostgreSQL writers take a gate (see `postgres`).
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
from relay.ledger.backends.errors import translated_errors
from relay.ledger.backends.postgres import Postgres
from relay.ledger.backends.sqlite import Sqlite
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.migrate import is_current, require_current, upgrade


class Backend(Protocol):
    """What SQLite and PostgreSQL do differently."""

    engine: Engine

    def create(self) -> None:
        """Create what a connection needs."""

    def require(self) -> None:
        """Raise LedgerError where the database does not exist."""

    def is_set_up(self, connection: Connection) -> bool:
        """Whether the settings that `migrating` makes are in place."""

    def migrating(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction that excludes other migrations and commits at the end of the block."""

    def begin_read(self, connection: Connection) -> None:
        """Begin a transaction that sees one snapshot."""

    def begin_write(self, connection: Connection, mode: WriteMode) -> None:
        """Begin a write transaction that excludes other writers as `mode` says."""

    def check_log(self) -> None:
        """Raise LedgerDamaged where opening the database would silently drop commits."""

    def check_pages(self, connection: Connection) -> None:
        """Raise LedgerDamaged where a part of the database cannot be read."""

    def shrink(self, connection: Connection, pages: int) -> None:
        """Return free space to the file system. Call it outside of a transaction."""


class Database:
    """One open database. The parts of the ledger are its subclasses."""

    def __init__(self, backend: Backend, password: str | None) -> None:
        self._backend = backend
        self._password = password

    @classmethod
    def open(
        cls, url: str, *, create: bool = True, verify: bool = False, lock_timeout: timedelta = timedelta(seconds=3)
    ) -> Self:
        """Open the ledger at `url` (`sqlite:////path/ledger.db`, `postgresql://user:password@host/name`).

        `create`: create the file (mode 0600, its folder 0700) and migrate the schema to this release, under a lock, so
        that any number of processes may start at once. Without it, raise LedgerError for a ledger that does not exist
        or has the schema of an earlier release.
        `verify`: read a SQLite ledger completely first. For the worker, while nobody else writes.
        `lock_timeout`: how long a call waits for a lock or a connection before it raises LedgerBusy.
        Raises LedgerTooNew for a ledger of a later release, LedgerDamaged, LedgerBusy, LedgerError.
        """
        address = _parse_url(url)
        password = None if address.password is None else str(address.password)
        with translated_errors(password):
            database = cls(_backend(address, lock_timeout), password)
            try:
                if verify:
                    database._backend.check_log()
                database._prepare(create=create)
                if verify:
                    database._check_pages()
            except BaseException:
                database.close()
                raise
        return database

    def close(self) -> None:
        """Close all connections. No transaction may be open."""
        self._backend.engine.dispose()

    def _check_pages(self) -> None:
        with self._backend.engine.connect() as connection:
            self._backend.check_pages(connection)

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
        """A read-only transaction that sees one snapshot."""
        with translated_errors(self._password), self._backend.engine.begin() as connection:
            self._backend.begin_read(connection)
            yield connection

    @contextmanager
    def _write(self, mode: WriteMode) -> Iterator[Connection]:
        """A write transaction: durable after the block, without effect where the block raises."""
        with translated_errors(self._password), self._backend.engine.begin() as connection:
            self._backend.begin_write(connection, mode)
            yield connection
            reach("ledger.commit")
        reach("ledger.committed")

    def _shrink(self, pages: int) -> None:
        """Return up to `pages` free pages to the file system."""
        with translated_errors(self._password), self._backend.engine.connect() as connection:
            self._backend.shrink(connection, pages)


def sqlite_url(path: Path) -> str:
    """The URL of the SQLite ledger in the file `path`."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite ledger; None for a ledger on a server. Raises LedgerError where `url` is not a URL."""
    address = _parse_url(url)
    return Path(address.database or "") if address.drivername.startswith("sqlite") else None


def _parse_url(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
        raise LedgerError(
            "the ledger's URL cannot be read; it looks like postgresql://user:password@host/name"
        ) from None


def _backend(url: URL, lock_timeout: timedelta) -> Backend:
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return Sqlite(url, lock_timeout)
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return Postgres(url, lock_timeout)
    raise LedgerError(f"a ledger is kept in sqlite or postgresql, not in {url.drivername!r}")
