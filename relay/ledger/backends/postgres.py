"""PostgreSQL as the ledger wants it: durable commits, no deadlocks, no wait without an end (ledger's ground floor).

Isolation: READ COMMITTED for what writes, with one lock above the rows, the *gate* (an advisory lock of the
transaction). Sorting enters it together with others and then locks its groups in the order of their keys; all that
decides (scheduling, settling, reviving, muting, purging) enters alone. So whoever decides sees a world that stands
still, and there are no two orders of locks that could cross. Reading is REPEATABLE READ: one moment.
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
"""Numbers of our own for advisory locks: "relay" and a count."""

_ENTER = {
    WriteMode.EXCLUSIVE: text("SELECT pg_advisory_xact_lock(:gate)").bindparams(gate=_GATE),
    WriteMode.SHARED: text("SELECT pg_advisory_xact_lock_shared(:gate)").bindparams(gate=_GATE),
}
_IDLE_LIMIT = timedelta(seconds=60)
"""A worker that stands still inside a transaction would stop all others; the server ends it after this."""
_MIGRATION_LOCK_TIMEOUT = timedelta(minutes=5)


class Postgres:
    """The ledger on a server, shared by several machines."""

    def __init__(self, url: URL, lock_timeout: timedelta) -> None:
        self._lock_timeout = lock_timeout
        defaults = {
            "connect_timeout": max(2, int(lock_timeout.total_seconds())),  # libpq takes 1 for 2
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
        """Nothing: the server tells by itself."""

    def is_set_up(self, connection: Connection) -> bool:
        """Nothing to set up."""
        return True

    def create(self) -> None:
        """Nothing: the database is made by its administrator."""

    def begin_read(self, connection: Connection) -> None:
        """Begin a transaction that sees one moment."""
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def begin_write(self, connection: Connection, gate: WriteMode) -> None:
        """Begin a transaction that writes, past the gate."""
        if gate in _ENTER:
            connection.execute(_ENTER[gate])

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A connection in a transaction, while no other process migrates."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds(_MIGRATION_LOCK_TIMEOUT)}")
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION})
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
            if encoding != "UTF8":  # any other would refuse some mail's text, again and again
                raise LedgerError(f"the ledger's database is in {encoding}; it has to be made with ENCODING 'UTF8'")
            yield connection

    def examine(self) -> None:
        """Nothing: likewise."""

    def verify(self, connection: Connection) -> None:
        """Nothing: the server minds its own files."""

    def shrink(self, connection: Connection, pages: int) -> None:
        """Nothing: autovacuum does it."""

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


def _milliseconds(span: timedelta) -> int:
    return max(1, span // timedelta(milliseconds=1))
