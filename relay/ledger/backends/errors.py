"""Turns what SQLAlchemy and the drivers raise into the relay's own errors (ledger's ground floor).

Guarantee: the text names the trouble and holds no password, no statement and no value: it is the driver's first line
only (PostgreSQL gives a row's values on its second). The driver's error is not chained: a log would print it whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from relay.errors import LedgerBusy, LedgerDamaged, LedgerError

_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SQLITE_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
    }
)


REPAIR = "`relay repair` saves what can be read of it and keeps the old file"
"""What to do about a damaged ledger."""


@contextmanager
def translated(password: str | None = None) -> Iterator[None]:
    """Raise LedgerBusy or LedgerError for whatever the database raises inside; all else passes through."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise _ours(error, password) from None
    except sqlite3.Error as error:
        raise _of_sqlite(error, _first_line(error, password)) from None


def _ours(error: exc.SQLAlchemyError, password: str | None) -> LedgerError:
    if isinstance(error, exc.TimeoutError):
        return LedgerBusy("the ledger's connections are all in use")
    if not isinstance(error, exc.DBAPIError) or error.orig is None:
        return LedgerError(f"the ledger could not be asked: {type(error).__name__}")
    text = _first_line(error.orig, password)
    if isinstance(error.orig, sqlite3.Error):
        return _of_sqlite(error.orig, text)
    if error.connection_invalidated or isinstance(error, (exc.OperationalError, exc.InterfaceError)):
        return LedgerBusy(f"the ledger cannot be reached or is locked: {text}")
    return LedgerError(f"the ledger refused: {text}")


def _of_sqlite(orig: sqlite3.Error, text: str) -> LedgerError:
    extended = getattr(orig, "sqlite_errorcode", 0)
    code = extended & 0xFF  # the primary part
    if extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        text += " (no room for its -shm file: the disk is full)"  # SQLite itself has a word for the other files alone
    if code in _SQLITE_PASSING:
        return LedgerBusy(f"the ledger is locked or cannot be written: {text}")
    if code in _SQLITE_DAMAGED:
        return LedgerDamaged(f"the ledger is damaged ({text}); {REPAIR}")
    return LedgerError(f"the ledger refused: {text}")


def _first_line(orig: BaseException, password: str | None) -> str:
    line = next(iter(str(orig).splitlines()), type(orig).__name__)
    return line.replace(password, "***") if password else line
