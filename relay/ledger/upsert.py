"""INSERT … ON CONFLICT for SQLite and PostgreSQL, which SQLAlchemy spells differently (base layer of the ledger)."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import sqlite


def insert_missing(connection: Connection, table: Table) -> Insert:
    """Insert rows whose key does not exist yet; waits for a transaction that is inserting the same one."""
    return _missing(connection.dialect.name, table)


def upsert(connection: Connection, table: Table, *, add: Collection[str] = (), put: Collection[str] = ()) -> Insert:
    """Insert rows; where the primary key exists, increase the columns `add` and replace the columns `put`."""
    return _upsert(connection.dialect.name, table, tuple(add), tuple(put))


def replace(connection: Connection, table: Table) -> Insert:
    """Insert rows; where the primary key exists, replace all the rest."""
    return upsert(connection, table, put=[column.key for column in table.c if not column.primary_key])


# --- Cached: to build a statement takes about as long as to insert a few dozen rows -----------------------------------


@cache
def _missing(dialect: str, table: Table) -> Insert:
    inserted: Insert = _insert(dialect, table).on_conflict_do_nothing()
    return inserted


@cache
def _upsert(dialect: str, table: Table, add: tuple[str, ...], put: tuple[str, ...]) -> Insert:
    insert = _insert(dialect, table)
    changed = {name: table.c[name] + insert.excluded[name] for name in add}
    changed |= {name: insert.excluded[name] for name in put}
    upserted: Insert = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
    return upserted


def _insert(dialect: str, table: Table) -> Any:
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a tenth of a second that SQLite's users need not wait

    return postgresql.insert(table)
