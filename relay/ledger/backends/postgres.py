"""PostgreSQL for the ledger: durable commits, no deadlocks, no wait without a timeout (base layer of the ledger).

Isolation: write transactions are READ COMMITTED, and take one lock before any row lock: the *gate*, an advisory lock
of the transaction. Ingest takes it shared and then locks its groups in the order of their keys. Everything that decides
(digest, settle, revive, mute, purge) takes it exclusively. So the data under a decision does not change, and locks are
always taken in one order, which excludes deadlocks. Reads are REPEATABLE READ: each sees one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from relay.errors import LedgerError
from relay.ledger.backends.write_mode import WriteMode

_GATE = 0x72656C6179_01
_MIGRATION = 0x72656C6179_02
"""Keys of our advisory locks: the bytes of "relay" and a number."""

_TAKE_GATE = {
    WriteMode.EXCLUSIVE: text("SELECT pg_advisory_xact_lock(:gate)").bindparams(gate=_GATE),
    WriteMode.SHARED: text("SELECT pg_advisory_xact_lock_shared(:gate)").bindparams(gate=_GATE),
}
_IDLE_LIMIT = timedelta(seconds=60)
"""The server ends a transaction that is idle for this long: a worker that hangs in one would stop all others."""
_MIGRATION_LOCK_TIMEOUT = timedelta(minutes=5)


class Postgres:
    """A ledger on a PostgreSQL server, which several machines can share."""

    def __init__(self, url: URL, lock_timeout: timedelta) -> None:
        self._lock_timeout = lock_timeout
        defaults = {
            "connect_timeout": max(2, int(lock_timeout.total_seconds())),  # libpq treats 1 as 2
            "application_name": "error-mail-relay",
            "keepalives_idle": 30,
            "tcp_user_timeout": 20_000,
        }
        arguments = {key: value for key, value in defaults.items() if key not in url.query}
        try:
            self.engine: Engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                pool_pre_ping=True,
                pool_timeout=lock_timeout.total_seconds(),
                connect_args=arguments,
            )
        except ImportError:
            raise LedgerError("PostgreSQL needs its driver: install error-mail-relay[server,postgres]") from None
        event.listen(self.engine, "connect", self._on_connect)

    def require(self) -> None:
        """Do nothing: connecting fails by itself where there is no database."""

    def is_set_up(self, connection: Connection) -> bool:
        """Return True: there is nothing to set up."""
        return True

    def create(self) -> None:
        """Do nothing: the administrator creates the database."""

    def begin_read(self, connection: Connection) -> None:
        """Begin a read-only transaction that sees one snapshot."""
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def begin_write(self, connection: Connection, mode: WriteMode) -> None:
        """Begin a write transaction and take the gate as `mode` says."""
        if mode in _TAKE_GATE:
            connection.execute(_TAKE_GATE[mode])

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that excludes migrations by other processes."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds(_MIGRATION_LOCK_TIMEOUT)}")
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION})
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
            if encoding != "UTF8":  # other encodings would refuse some texts of mails, again and again
                raise LedgerError(f"the ledger's database is in {encoding}; it has to be made with ENCODING 'UTF8'")
            yield connection

    def check_log(self) -> None:
        """Do nothing: the server checks its own files."""

    def check_pages(self, connection: Connection) -> None:
        """Do nothing: the server checks its own files."""

    def shrink(self, connection: Connection, pages: int) -> None:
        """Do nothing: autovacuum frees the space."""

    def _on_connect(self, connection: Any, _record: Any) -> None:
        settings = {
            "synchronous_commit": "on",
            "default_transaction_isolation": "read committed",
            "lock_timeout": _milliseconds(self._lock_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(_IDLE_LIMIT),
        }
        with connection.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
        connection.commit()


def _milliseconds(duration: timedelta) -> int:
    return max(1, duration // timedelta(milliseconds=1))
