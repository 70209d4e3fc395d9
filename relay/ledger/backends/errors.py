"""Translate errors of SQLAlchemy and the database drivers into errors of the relay (base layer of the ledger).

Guarantee: the text names the failure and contains no password, no statement and no value. It is only the first line of
the driver's text (PostgreSQL prints the values of a row on the second). The driver's error is not chained, since a log
would print all of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from relay.errors import LedgerBusy, LedgerDamaged, LedgerError

_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SQLITE_TRANSIENT = frozenset(
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
"""The advice for a damaged ledger, for error texts."""


@contextmanager
def translated_errors(password: str | None = None) -> Iterator[None]:
    """Inside the block, raise LedgerBusy or LedgerError for errors of the database. Other exceptions pass through."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise _ledger_error(error, password) from None
    except sqlite3.Error as error:
        raise _sqlite_error(error, _first_line(error, password)) from None


def _ledger_error(error: exc.SQLAlchemyError, password: str | None) -> LedgerError:
    if isinstance(error, exc.TimeoutError):
        return LedgerBusy("the ledger's connections are all in use")
    if not isinstance(error, exc.DBAPIError) or error.orig is None:
        return LedgerError(f"the ledger could not be queried: {type(error).__name__}")
    text = _first_line(error.orig, password)
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_error(error.orig, text)
    if error.connection_invalidated or isinstance(error, (exc.OperationalError, exc.InterfaceError)):
        return LedgerBusy(f"the ledger cannot be reached or is locked: {text}")
    return LedgerError(f"the ledger refused: {text}")


def _sqlite_error(orig: sqlite3.Error, text: str) -> LedgerError:
    extended = getattr(orig, "sqlite_errorcode", 0)
    code = extended & 0xFF  # the primary result code
    if extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        text += " (no room for its -shm file: the disk is full)"  # SQLite reports a full disk only for its other files
    if code in _SQLITE_TRANSIENT:
        return LedgerBusy(f"the ledger is locked or cannot be written: {text}")
    if code in _SQLITE_DAMAGED:
        return LedgerDamaged(f"the ledger is damaged ({text}); {REPAIR}")
    return LedgerError(f"the ledger refused: {text}")


def _first_line(orig: BaseException, password: str | None) -> str:
    line = next(iter(str(orig).splitlines()), type(orig).__name__)
    return line.replace(password, "***") if password else line
