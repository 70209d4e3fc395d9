"""A ledger is made, migrated, opened again and refused, by any number of processes."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, insert, inspect, text

from relay.errors import LedgerBusy, LedgerError, LedgerTooNew
from relay.ledger import Ledger, migrate, schema, sqlite_url
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.rows import group_values, key_of
from relay.ledger.schema import groups
from relay.model import BudgetState, Group, UpstreamState
from tests.support.disks import fill, small_disk
from tests.support.ledger_world import NOON, SENT, enqueue_pending, fresh, ingest, send

BRIEF = timedelta(milliseconds=50)


def set_revision(url: str, revision: str) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


# --- The schema -------------------------------------------------------------------------------------------------------


def test_migrations_build_what_the_code_works_with(empty_url: str):
    ledger = Ledger.open(empty_url)
    with ledger._read() as connection:
        compare_defaults = connection.dialect.name == "postgresql"  # SQLite gives them back in other words
        context = MigrationContext.configure(connection, opts={"compare_server_default": compare_defaults})
        difference = compare_metadata(context, schema.metadata)
        indexes = partial_indexes(connection)
    ledger.close()

    assert difference == []
    assert indexes == {
        index.name for table in schema.metadata.tables.values() for index in table.indexes if only(index)
    }


def partial_indexes(connection) -> set[str]:
    """Those indexes that have a condition; Alembic does not compare it."""
    query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
    if connection.dialect.name == "postgresql":
        query = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '% WHERE %'"
    return set(connection.scalars(text(query)))


def only(index) -> bool:
    return index.dialect_options["sqlite"]["where"] is not None


def test_newest_migration_is_the_one_the_code_names():
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_heads() == [schema.REVISION]


@pytest.mark.parametrize(
    ("noun", "table", "besides"),
    [
        (Group, schema.groups, {"key", "thread"}),
        (BudgetState, schema.budgets, {"recipient"}),
        (UpstreamState, schema.upstream, {"worker", "target"}),
    ],
)
def test_tables_hold_every_field_of_their_noun(noun, table, besides):
    assert {column.key for column in table.c} - besides == {field.name for field in fields(noun)}


# --- Opening ----------------------------------------------------------------------------------------------------------


def test_ledger_is_found_as_it_was_left(url: str):
    first = Ledger.open(url)
    ingest(first, {"a": 3})
    first.close()
    second = Ledger.open(url)
    groups = second.groups()
    second.close()

    assert [group.mails for group in groups] == [3]


def test_opening_again_changes_nothing(url: str):
    """No lock is waited for: the relay's commands open the ledger beside a busy worker."""
    first = Ledger.open(url)
    with first._write(WriteMode.EXCLUSIVE):
        Ledger.open(url, lock_timeout=BRIEF).close()
        Ledger.open(url, create=False, lock_timeout=BRIEF).close()
    first.close()


def test_ledger_of_a_later_release_is_refused(empty_url: str):
    Ledger.open(empty_url).close()
    set_revision(empty_url, "9999")

    for create in (True, False):
        with pytest.raises(LedgerTooNew, match="9999"):
            Ledger.open(empty_url, create=create)


def test_ledger_of_an_earlier_release_is_migrated_only_on_request(empty_url: str, monkeypatch: pytest.MonkeyPatch):
    Ledger.open(empty_url).close()
    monkeypatch.setattr(migrate, "REVISION", "later")

    with pytest.raises(LedgerError, match="earlier"):
        Ledger.open(empty_url, create=False)


def test_groups_live_through_the_migrations(empty_url: str, monkeypatch: pytest.MonkeyPatch):
    """What a release wrote with the first schema is there after all later migrations, and takes part in what is new."""
    with monkeypatch.context() as patch:
        patch.setattr(alembic.command, "upgrade", partial(_upgrade_to, alembic.command.upgrade, "0001"))
        patch.setattr(migrate, "REVISION", "0001")
        old = Ledger.open(empty_url)
        before = replace(fresh("a", mails=3), id=7)
        with old._write(WriteMode.EXCLUSIVE) as connection:
            _insert_as_then(connection, before)
        old.close()

    new = Ledger.open(empty_url)
    assert new.groups() == [before]
    assert new.versions() == {1}
    ingest(new, {"a": 1})
    assert [group.mails for group in new.groups()] == [4]
    new.close()


def _insert_as_then(connection: Connection, group: Group) -> None:
    """Insert the group with the columns that the table has in the schema of this connection."""
    values = group_values(group) | {"key": key_of((group.route, group.app, group.fingerprint))}
    columns = {column["name"] for column in inspect(connection).get_columns("groups")}
    connection.execute(insert(groups), {name: value for name, value in values.items() if name in columns})


def _upgrade_to(upgrade: Callable[..., None], revision: str, config: Config, _head: str) -> None:
    upgrade(config, revision)


def test_ledger_is_not_made_by_who_only_reads(empty_url: str, tmp_path: Path):
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(empty_url, create=False)

    assert list(tmp_path.iterdir()) == []


def test_migration_that_fails_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch):
    """Half a schema would stop every later start."""

    def fail_at_the_end(_connection, _cursor, statement, *_):
        if "alembic_version" in statement and statement.startswith("INSERT"):
            raise RuntimeError("the power went")

    original = migrate.upgrade

    def failing(connection):
        event.listen(connection, "before_cursor_execute", fail_at_the_end)
        original(connection)

    monkeypatch.setattr("relay.ledger.engine.upgrade", failing)
    with pytest.raises(RuntimeError, match="power"):
        Ledger.open(empty_url)
    monkeypatch.undo()
    ledger = Ledger.open(empty_url)
    ingest(ledger, {"a": 1})
    ledger.close()


OPEN = "import sys; from relay.ledger import Ledger; it = Ledger.open(sys.argv[1]); print(it.tally()); it.close()"


def test_processes_that_start_at_once_make_one_ledger(empty_url: str):
    """Each opens it and reads from it."""
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, empty_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert all(b"groups=0" in out for out, _ in outputs)


def test_alembic_is_not_imported_for_a_ledger_that_is_up_to_date(url: str):
    """It takes a quarter of a second of every start."""
    Ledger.open(url).close()
    code = OPEN + "; sys.exit('alembic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code, url], capture_output=True, check=False).returncode == 0


# --- Waiting and failing ----------------------------------------------------------------------------------------------


def test_writer_that_waits_too_long_gets_an_error(url: str):
    first, second = Ledger.open(url), Ledger.open(url, lock_timeout=BRIEF)
    with first._write(WriteMode.EXCLUSIVE):
        with pytest.raises(LedgerBusy):
            ingest(second, {"a": 1})
        with pytest.raises(LedgerBusy):
            second.revise(1, lambda group: group)
        assert second.groups() == [], "who reads waits for nobody"
    ingest(second, {"a": 1})
    first.close()
    second.close()


def test_reader_sees_the_last_commit_while_somebody_writes(url: str):
    first, second = Ledger.open(url), Ledger.open(url, lock_timeout=BRIEF)
    ingest(first, {"a": 1})
    with first.ingesting("a" * 32, 1) as tx:
        tx.book(received=10, ignored=10)
        tx.advance(11)
        assert second.books(NOON).received == 1
        assert second.cursor("a" * 32) == 1
    assert second.books(NOON).received == 11
    first.close()
    second.close()


def test_every_failure_of_the_database_is_the_ledgers_own(ledger: Ledger):
    with pytest.raises(LedgerError) as caught, ledger._read() as connection:
        connection.execute(text("SELECT nothing FROM nowhere WHERE x = :value"), {"value": "secret"})

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_values_are_in_no_error(ledger: Ledger):
    ingest(ledger, {"a": 1})
    row = {"spool_id": "a" * 32, "position": 77777}
    with pytest.raises(LedgerError) as caught, ledger._write(WriteMode.EXCLUSIVE) as connection:
        connection.execute(schema.spools.insert(), row)

    assert "77777" not in str(caught.value)
    assert "aaaa" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://relay:hunter2@host:port/x",
        "mysql://relay:hunter2@localhost/x",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://relay:hunter2@/x?host=/nowhere/at/all",
        "postgresql://relay:hunter2@127.0.0.1:1/x",
        "sqlite:////proc/nowhere/ledger.db",
    ],
)
def test_url_that_leads_nowhere_is_refused_without_its_password(url: str):
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url, lock_timeout=BRIEF)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_server_that_is_away_is_busy():
    with pytest.raises(LedgerBusy):
        Ledger.open("postgresql://relay@127.0.0.1:1/x", lock_timeout=BRIEF)


# --- SQLite alone -----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_their_owners_alone(file: Path):
    """Whatever the umask lets through."""
    before = os.umask(0)
    try:
        ledger = Ledger.open(sqlite_url(file))
        ingest(ledger, {"a": 1})
        modes = {path.name: mode(path) for path in file.parent.iterdir()}
        ledger.close()
    finally:
        os.umask(before)

    assert mode(file.parent) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"ledger.db", "ledger.db-wal"} <= modes.keys()


def test_every_connection_is_durable_and_checks_its_keys(file: Path):
    ledger = Ledger.open(sqlite_url(file))
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 3000, "auto_vacuum": 2}
    with ledger._read() as one, ledger._read() as two:
        for connection in (one, two):
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
            assert found == wanted
    ledger.close()


def test_copy_without_a_write_ahead_log_gets_one(file: Path, tmp_path: Path):
    """A backup made by VACUUM INTO is a ledger like any other."""
    ledger = Ledger.open(sqlite_url(file))
    ingest(ledger, {"a": 1})
    ledger.close()
    with sqlite3.connect(file) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    connection.close()
    copy = Ledger.open(sqlite_url(tmp_path / "copy.db"))
    with copy._read() as open_copy:
        assert open_copy.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert len(copy.groups()) == 1
    copy.close()


def test_damaged_file_is_said_to_be_damaged(file: Path):
    file.parent.mkdir()
    file.write_bytes(b"This is no ledger. " * 1000)

    with pytest.raises(LedgerError, match=re.compile("damaged|not a database")):
        Ledger.open(sqlite_url(file))


def test_purged_space_goes_back_to_the_file_system(file: Path):
    ledger = Ledger.open(sqlite_url(file))
    ingest(ledger, {f"error {number}": 1 for number in range(3_000)})
    enqueue_pending(ledger)
    send(ledger, SENT)
    large = checkpointed(ledger, file)
    far = NOON + timedelta(days=100)
    while ledger.purge(far, samples_for=timedelta(days=14), counts_for=timedelta(days=90)):
        pass
    small = checkpointed(ledger, file)
    ledger.close()

    assert small < large / 3


def checkpointed(ledger: Ledger, file: Path) -> int:
    with ledger._backend.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
    return file.stat().st_size


def test_path_with_odd_characters_is_a_path(tmp_path: Path):
    file = tmp_path / "100% ünïcode?#&" / "ledger.db"
    Ledger.open(sqlite_url(file)).close()

    assert file.exists()


# --- PostgreSQL alone -------------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_session_is_durable_and_waits_for_no_lock_for_ever(new_database: Callable[[], str]):
    """Whatever the server, the database or the role were set to."""
    url = new_database()
    Ledger.open(url).close()
    spoiled = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with spoiled.begin() as connection:
        for name, value in (("synchronous_commit", "off"), ("default_transaction_isolation", "serializable")):
            connection.execute(
                text(f"ALTER ROLE relay IN DATABASE {connection.engine.url.database} SET {name} = '{value}'")
            )
    spoiled.dispose()
    ledger = Ledger.open(url)
    wanted = {
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "1min",
    }
    with ledger._write(WriteMode.SHARED) as connection:
        assert {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in wanted} == wanted
    ledger.close()


@pytest.mark.postgres
def test_database_that_cannot_hold_every_text_is_refused(new_database: Callable[..., str]):
    with pytest.raises(LedgerError, match="UTF8"):
        Ledger.open(new_database("ENCODING 'LATIN1' LOCALE 'C'"))


@pytest.mark.postgres
def test_connection_the_server_ended_is_replaced(emptied_database: Callable[[], str]):
    """A server that was restarted costs one call at most."""
    ledger = Ledger.open(emptied_database())
    with pytest.raises(LedgerBusy), ledger._write(WriteMode.EXCLUSIVE) as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    ingest(ledger, {"a": 1})
    assert len(ledger.groups()) == 1
    ledger.close()


DIES = "import os, sys; from relay.ledger import Ledger; Ledger.open(sys.argv[1]); os.kill(os.getpid(), 9)"


def test_full_disk_is_said_to_be_full_even_where_sqlite_says_only_that_it_failed(tmp_path: Path):
    """A ledger that a kill left behind, and no room for the file in which SQLite notes who uses it."""
    with small_disk(tmp_path / "disk", 4) as folder:
        url = sqlite_url(folder / "ledger.db")
        subprocess.run([sys.executable, "-c", DIES, url], check=False)
        (folder / "ledger.db-shm").unlink()
        fill(folder)

        with pytest.raises(LedgerBusy, match="disk is full"):
            Ledger.open(url, lock_timeout=BRIEF)
