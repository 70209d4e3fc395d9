"""Copy all readable rows of a damaged SQLite ledger into a new one (base layer of the ledger, for `repair`).

A query over a whole table ends at the first unreadable page. So each table is read in ranges of its key. A range that
fails is halved until only unreadable keys are left out. Rows are inserted unchanged; rows that violate a constraint of
the new file are skipped.
"""

# ruff: noqa: S608 -- the names of tables and columns are those of our own schema

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RANGE = 1_000
"""The number of keys in the first query of a range."""
_FAILURES_AT_MOST = 20_000
"""The number of failed queries after which the rest of a table is given up."""
_ROWS_OF_A_PAGE = 400
"""More rows than fit on one page; bounds the search if the greatest key cannot be read."""
_PREFIXES = 1 << 16
_FIRST = ("letters", "bodies", "deliveries", "entries", "totals", "spools", "upstreams", "routes", "budgets", "groups")
"""Tables that are copied first: unsent messages and the books."""
_KEYS = {"counts": "group_id", "records": "id", "former_keys": "key"}
"""The key by which a table without a rowid is read; a key of bytes is read by its first two bytes."""
_OF_BYTES = {"records", "former_keys"}

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """The result for one table."""

    table: str
    saved: int
    lost: int | None
    """Rows that could not be read; None if their number is unknown."""


def salvage(damaged: Path, new: Path) -> list[Salvaged]:
    """Fill `new`, an empty ledger of the same schema, from `damaged`. SQLite writes to `damaged` (it applies the log).

    A table whose name cannot be read counts as lost. Raises sqlite3.Error for a failure of `new` only.
    """
    with closing(sqlite3.connect(new)) as target, closing(sqlite3.connect(damaged)) as source:
        source.text_factory = lambda data: data.decode("utf-8", "replace")
        tables = _tables(target)
        found = []
        for table in sorted(tables, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST)):
            found.append(_copy(source, target, table))
            target.commit()
        return found


def revision_of(file: Path) -> str:
    """Return the schema revision stored in `file`; "" if it cannot be read."""
    with closing(sqlite3.connect(file)) as connection:
        row = _ask(connection, "SELECT version_num FROM alembic_version")
    return str(row[0]) if row else ""


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return [name for (name,) in connection.execute(query) if name != "alembic_version"]


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> Salvaged:
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    row = _ask(source, f"SELECT count(*) FROM {table}")
    saved = 0
    for rows in _readable(source, table, names):
        done = target.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", rows)
        saved += done.rowcount
    return Salvaged(table=table, saved=saved, lost=max(0, row[0] - saved) if row else None)


def _readable(source: sqlite3.Connection, table: str, names: str) -> Iterator[list[Row]]:
    """Yield the rows of a table in batches, without those that cannot be read."""
    key = _KEYS.get(table, "rowid")
    query = f"SELECT {names} FROM {table} NOT INDEXED WHERE {key} BETWEEN ? AND ?"
    left = [(start, start + _RANGE - 1) for start in range(0, _greatest(source, table, key) + 1, _RANGE)]
    left.reverse()
    failures = 0
    while left and failures < _FAILURES_AT_MOST:
        low, high = left.pop()
        try:
            rows = source.execute(query, _bounds(table, low, high)).fetchall()
        except (sqlite3.DatabaseError, OverflowError):
            failures += 1
            middle = (low + high) // 2
            left += [(middle + 1, high), (low, middle)] if low < high else []
            continue
        if rows:
            yield rows


def _bounds(table: str, low: int, high: int) -> Row:
    if table in _OF_BYTES:
        return low.to_bytes(2, "big"), high.to_bytes(2, "big") + b"\xff" * 15
    return low, high


def _greatest(source: sqlite3.Connection, table: str, key: str) -> int:
    if table in _OF_BYTES:
        return _PREFIXES - 1
    row = _ask(source, f"SELECT max({key}) FROM {table}")
    if row:
        return int(row[0] or 0)
    pages = _ask(source, "PRAGMA page_count")
    return int(pages[0]) * _ROWS_OF_A_PAGE if pages else 0


def _ask(source: sqlite3.Connection, query: str) -> Row | None:
    """Return the first row of the result; None if there is none or it cannot be read."""
    try:
        row: Row | None = source.execute(query).fetchone()
    except sqlite3.DatabaseError:
        return None
    return row
