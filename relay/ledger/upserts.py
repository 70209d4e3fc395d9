"""INSERT … ON CONFLICT, which SQLAlchemy spells once for each database (ledger's ground floor)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import sqlite


def insert_missing(connection: Connection, table: Table) -> Insert:
    """Insert rows whose key does not exist yet; waits for a transaction that is inserting the same one."""
    inserted: Insert = _insert(connection, table).on_conflict_do_nothing()
    return inserted


def upsert(connection: Connection, table: Table, *, add: Collection[str] = (), put: Collection[str] = ()) -> Insert:
    """Insert rows; where the primary key exists, increase the columns `add` and replace the columns `put`."""
    insert = _insert(connection, table)
    changed = {name: table.c[name] + insert.excluded[name] for name in add}
    changed |= {name: insert.excluded[name] for name in put}
    upserted: Insert = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
    return upserted


def replace(connection: Connection, table: Table) -> Insert:
    """Insert rows; where the primary key exists, replace all the rest."""
    return upsert(connection, table, put=[column.name for column in table.c if not column.primary_key])


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a tenth of a second that SQLite's users need not wait

    return postgresql.insert(table)
