"""Ledgers as earlier releases have left them: tests/data/ledgers holds one of every schema there ever was.

A new migration brings its own: a ledger of that schema with the same content, packed by `gzip -9`. The files are of
SQLite. For PostgreSQL, their rows are copied into a database that the migrations created up to that schema.
"""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, create_engine, text

from relay.errors import LedgerError
from relay.ledger import Ledger, migrate, sqlite_url
from relay.model import MessageState
from tests.support.ledger_world import NOON, SENT, SPOOL, enqueue_pending, figures, ingest, send
from tests.support.paths import DATA

FOLDER = DATA / "ledgers"
FILES = sorted(FOLDER.glob("*.db.gz"))
HOUR = timedelta(hours=1)


def test_every_schema_has_its_file():
    revisions = {path.name.split("_")[0] for path in (migrate._MIGRATIONS / "versions").glob("[0-9]*.py")}

    assert {path.name.removesuffix(".db.gz") for path in FILES} == revisions


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_ledger_of_an_earlier_release_is_migrated_with_all_that_is_in_it(file: Path, empty_url: str, tmp_path: Path):
    """One digest sent, one on its way, an error pending; and then it works on."""
    path = tmp_path / "data" / "ledger.db"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress(file.read_bytes()))
    if empty_url != sqlite_url(path):
        copy_to_postgres(path, empty_url, revision=file.name.removesuffix(".db.gz"))
    if file != FILES[-1]:
        with pytest.raises(LedgerError, match="earlier"):
            Ledger.open(empty_url, create=False)
    ledger = Ledger.open(empty_url, verify=True)

    assert figures(ledger) == {"received": 51, "reported": 40, "pending": 11}
    assert ledger.cursor(SPOOL) == 51
    assert len(ledger.groups(limit=100)) == 21
    assert sum(len(ledger.samples_of(group.id)) for group in ledger.groups(limit=100)) == 23
    message, state = send(ledger, SENT, at=NOON + HOUR)
    assert (message.raw, state) == (b"Subject: x\r\n\r\n", MessageState.SENT)
    ingest(ledger, {"error 1": 1, "another": 1}, at=NOON + 2 * HOUR)
    enqueue_pending(ledger, at=NOON + 2 * HOUR)
    send(ledger, SENT, at=NOON + 2 * HOUR)
    assert figures(ledger) == {"received": 53, "reported": 53}
    ledger.close()


def copy_to_postgres(file: Path, url: str, *, revision: str) -> None:
    """Create the schema of that time in an empty PostgreSQL database, and copy every row of the file into it."""
    source = create_engine(sqlite_url(file))
    target = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with source.connect() as old, target.begin() as new:
        migrate.upgrade(new, to=revision)
        copy_rows(old, new)
    source.dispose()
    target.dispose()


def copy_rows(old: Connection, new: Connection) -> None:
    tables, copies = MetaData(), MetaData()
    tables.reflect(old)
    copies.reflect(new)
    for table in tables.sorted_tables:
        rows = [dict(row) for row in old.execute(table.select()).mappings()]
        if rows and table.name != "alembic_version":
            new.execute(copies.tables[table.name].insert(), rows)
    new.execute(text("SELECT setval(pg_get_serial_sequence('groups', 'id'), (SELECT max(id) FROM groups))"))
