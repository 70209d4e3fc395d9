"""Rebuild a damaged SQLite ledger: copy, salvage, mend, exchange (CLI → ledger).

    copy        the file and its log, unchanged: the originals are not touched before the new file is complete
    salvage     all rows of the copy that can be read, into a new ledger
    mend        what is inconsistent: messages without their bytes, books that do not balance
    exchange    the old file is kept beside the new one, with the time in its name

Guarantee: whenever this is killed, the ledger's path holds the old file or the complete new one. An unsent message that
can be read is sent. The books balance, and the result says how many mails had to be booked for that.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, exists, func, literal_column, make_url, select, update

from relay.data_dir import working_prefix
from relay.errors import LedgerDamaged, LedgerError
from relay.ledger.backends.errors import translated_errors
from relay.ledger.backends.sqlite import Sqlite, require_file
from relay.ledger.backends.wal import missing_commits
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.books import UNDELIVERED, book, read_books
from relay.ledger.engine import Database, sqlite_url
from relay.ledger.migrate import require_known, upgrade
from relay.ledger.repair.salvage import Salvaged, revision_of, salvage
from relay.ledger.schema import (
    IS_OPEN,
    REVISION,
    bodies,
    counts,
    deliveries,
    former_keys,
    groups,
    messages,
    metadata,
    spools,
)
from relay.ledger.settlement import end_settled_messages
from relay.ledger.steering_schema import audit, audit_groups
from relay.model import Delivery, MessageState

_BLOCK = 4096
_HEAD = b"SQLite format 3\0" + bytes([0x10, 0x00, 2, 2, 0, 64, 32, 32])
"""The first bytes of each of our files: magic, pages of 4,096 bytes, write-ahead log, and constants."""

_PAGES_AT = 28
"""The offset of the page count in the file header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """The result of a repair."""

    why: str
    """The damage that was found, as text."""
    tables: tuple[Salvaged, ...]
    dropped: int
    """Unsent messages that were dropped because too much of them is lost."""
    missing: int
    """Mails that were counted as received and are in no other figure: booked as undelivered."""
    unexplained: int
    """Mails that are in another figure but not counted as received: booked as received."""
    damaged_file: Path
    """Where the old file is now."""


def repair(path: Path, now: datetime) -> Repaired | None:
    """Repair the SQLite ledger in the file `path`, which no other process uses; None if it is not damaged.

    Raises LedgerTooNew for a ledger of a later release, LedgerError if there is no ledger or no room for a new one.
    """
    require_exists(path)
    try:
        with tempfile.TemporaryDirectory(prefix=working_prefix("repair"), dir=path.parent) as folder:
            return _repair(path, Path(folder), now)
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be repaired: {error.strerror}") from error


def require_exists(path: Path) -> None:
    """Raise LedgerError if there is no ledger to repair; an empty file can be repaired."""
    if not path.exists():
        raise LedgerError(f"there is no ledger {path}; the relay makes a new one when it starts")
    try:
        require_file(path)
    except LedgerDamaged:
        return


def _repair(path: Path, folder: Path, now: datetime) -> Repaired | None:
    damaged, new = folder / "damaged.db", folder / "new.db"
    for suffix in ("", "-wal"):
        _copy(path.with_name(path.name + suffix), damaged.with_name(damaged.name + suffix))
    why = missing_commits(path) or _wrong_with(damaged)
    if not why:
        return None
    _mend_head(damaged)
    with translated_errors():
        revision = revision_of(damaged) or REVISION
        require_known(revision)
        _make(new, revision)
        tables = salvage(damaged, new)
    ledger = _Mending.open(sqlite_url(new))
    dropped, missing = ledger.mend(now)
    ledger.close()  # takes its log in
    aside = _exchange(path, new, now)
    return Repaired(
        why=why,
        tables=tuple(tables),
        dropped=dropped,
        missing=max(0, missing),
        unexplained=max(0, -missing),
        damaged_file=aside,
    )


def _make(new: Path, revision: str) -> None:
    """Create an empty ledger of that revision: rows are copied unchanged, and migrated afterwards."""
    backend = Sqlite(make_url(sqlite_url(new)), timedelta(seconds=3))
    backend.create()
    with backend.migrating() as connection:
        upgrade(connection, revision)
    backend.engine.dispose()


def _copy(source: Path, copy: Path) -> None:
    """Copy a file, with zeros for the blocks that the disk cannot read."""
    if not source.exists():
        return
    with source.open("rb", buffering=0) as old, copy.open("wb") as new:
        for at in range(0, os.fstat(old.fileno()).st_size, _BLOCK):
            try:
                new.write(os.pread(old.fileno(), _BLOCK, at))
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                new.write(bytes(_BLOCK))


def _wrong_with(copy: Path) -> str:
    if not copy.stat().st_size:
        return "it is empty"
    try:
        with closing(sqlite3.connect(copy)) as connection:
            found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
            foreign = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    if found != "ok":
        return " ".join(found.split())
    return f"rows of {foreign[0]} belong to nothing" if foreign else ""


def _mend_head(copy: Path) -> None:
    """Rewrite the file's first bytes, which are the same in all our files, and set the page count to 0.

    SQLite refuses a file that is shorter than its header says. With a page count of 0 it uses the size of the file
    (Database File Format, 1.3.7).
    """
    if copy.stat().st_size >= _BLOCK:
        with copy.open("r+b") as file:
            file.write(_HEAD)
            file.seek(_PAGES_AT)
            file.write(bytes(4))


# --- Mending ----------------------------------------------------------------------------------------------------------


class _Mending(Database):
    """The new ledger, in which some rows may be missing."""

    def mend(self, now: datetime) -> tuple[int, int]:
        """Make the ledger consistent. Returns the number of dropped messages, and of mails missing in the books."""
        with self._write(WriteMode.EXCLUSIVE) as connection:
            return _drop_unsendable(connection, now), _balance(connection, now)


def _drop_unsendable(connection: Connection, now: datetime) -> int:
    """Drop open messages that lack their bytes or their recipients; the next digest reports their totals."""
    _orphan(connection)
    whole = exists().where(bodies.c.outbox_id == messages.c.id) & exists().where(
        deliveries.c.outbox_id == messages.c.id
    )
    torn = connection.scalars(select(messages.c.id).where(IS_OPEN, ~whole)).all()
    for outbox_id in torn:
        ours = deliveries.c.outbox_id == outbox_id
        lost = {"state": Delivery.REFUSED, "taken": 0, "at": now, "text": "its content was lost with a damaged ledger"}
        connection.execute(update(deliveries).where(ours, deliveries.c.taken.is_(None)).values(**lost))
        end_settled_messages(connection, [outbox_id], now)
        gone = {"state": MessageState.DROPPED, "ended_at": now, "next_try_at": None, "claim": "", "claimed_by": ""}
        still = connection.scalar(select(messages.c.mails).where(messages.c.id == outbox_id, IS_OPEN))
        if still is not None:  # no delivery is left to settle
            book(connection, {UNDELIVERED: still})
        unsent = messages.c.state.in_([MessageState.OPEN, MessageState.DEAD])
        connection.execute(update(messages).where(messages.c.id == outbox_id, unsent).values(**gone))
    return len(torn)


def _orphan(connection: Connection) -> None:
    """Delete rows whose parent row is lost, and defer recipients again whose catch-up digest is lost."""
    for table, rowid, _, _ in connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        if rowid is not None:
            connection.execute(delete(metadata.tables[table]).where(literal_column("rowid") == rowid))
    for owned in (counts, former_keys):  # tables without a rowid
        connection.execute(delete(owned).where(owned.c.group_id.not_in(select(groups.c.id))))
    connection.execute(delete(audit_groups).where(audit_groups.c.audit_id.not_in(select(audit.c.id))))
    covering = select(messages.c.id)
    lost = (deliveries.c.state == Delivery.COVERED, deliveries.c.taken.is_(None))
    deferred = update(deliveries).where(*lost, deliveries.c.covered_by.not_in(covering))
    connection.execute(deferred.values(state=Delivery.DEFERRED, covered_by=""))


def _balance(connection: Connection, now: datetime) -> int:
    """Book the difference. Returns how many more mails were received than the other figures hold (negative: fewer)."""
    found = read_books(connection, now)
    elsewhere = found.reported + found.pending + found.muted + found.ignored + found.parked + found.undelivered
    missing = found.received - elsewhere
    if missing > 0:
        book(connection, {UNDELIVERED: missing})
    elif missing < 0:
        some = connection.scalar(select(func.max(spools.c.spool_id)))
        if some is None:
            connection.execute(spools.insert(), {"spool_id": "lost", "position": 0, "received": -missing})
        else:
            more = update(spools).where(spools.c.spool_id == some)
            connection.execute(more.values(received=spools.c.received - missing))
    return missing


# --- The exchange -----------------------------------------------------------------------------------------------------


def _exchange(path: Path, new: Path, now: datetime) -> Path:
    """Replace `path` by `new`. Returns the new path of the old file.

    The old log is moved first: SQLite would apply it to the new file otherwise.
    """
    aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%SZ}")
    new.chmod(0o600)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(path, aside)
    except OSError:  # not on this file system
        shutil.copyfile(path, aside)
        aside.chmod(0o600)
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        log.rename(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return aside
