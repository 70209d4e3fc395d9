"""Damaged ledgers: they are known for what they are, and what can be read of them is saved."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from relay.errors import LedgerDamaged, LedgerError, LedgerTooNew
from relay.ledger import Ledger, sqlite_url
from relay.ledger.repair.rebuild import repair
from relay.model import MessageState
from tests.support.ledger_world import ADA, NOON, SENT, SPOOL, enqueue_pending, figures, ingest, send

ERRORS = 400
PAGE = 4096
LATER = NOON + timedelta(hours=1)


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger that has seen something: sent, on its way, pending."""
    path = tmp_path_factory.mktemp("sound") / "ledger.db"
    ledger = Ledger.open(sqlite_url(path))
    ingest(ledger, {f"error {number}": 2 for number in range(ERRORS)})
    enqueue_pending(ledger)
    send(ledger, SENT)
    ingest(ledger, {f"error {number}": 1 for number in range(50)})
    enqueue_pending(ledger, at=LATER)
    ingest(ledger, {"newest": 7})
    ledger.close()
    return path.parent


@pytest.fixture
def file(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    shutil.copytree(sound, tmp_path / "data")
    return tmp_path / "data" / "ledger.db"


def page_of(file: Path, table: str) -> int:
    """A page in the middle of a table (or index)."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        try:
            pages = [number for (number,) in connection.execute(query, (table,))]
        except sqlite3.OperationalError:
            pytest.skip("this SQLite was built without dbstat")
    connection.close()
    return pages[len(pages) // 2]


def spoil(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as writing:
        writing.seek(offset)
        writing.write(data)


def spoil_page(table: str) -> Callable[[Path], None]:
    return lambda file: spoil(file, (page_of(file, table) - 1) * PAGE, os.urandom(PAGE))


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size * 2 // 3 // PAGE * PAGE + 100)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a bit of the head": lambda file: spoil(file, 2, b"\0"),
    "the whole head": lambda file: spoil(file, 0, os.urandom(24)),
    "a page of groups": spoil_page("groups"),
    "a page of counts": spoil_page("counts"),
    "a page of an index": spoil_page("letters_by_age"),
    "cut": cut,
    "empty": lambda file: os.truncate(file, 0),
    "no database": lambda file: spoil(file, 0, b"This is no ledger. " * 30_000),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_when_the_worker_opens_it_and_repaired_into_a_ledger_that_works(file: Path, damage: str):
    before = file.read_bytes()
    DAMAGE[damage](file)
    spoilt = file.read_bytes()
    assert spoilt != before

    with pytest.raises(LedgerDamaged, match="relay repair"):
        Ledger.open(sqlite_url(file), verify=True)
    found = repair(file, LATER)

    assert found is not None
    assert found.damaged_file.name == "ledger.db.damaged-20260301T130000Z"
    assert found.damaged_file.read_bytes() == spoilt
    ledger = Ledger.open(sqlite_url(file), verify=True)
    figures(ledger)  # with a look at their balance
    ingest(ledger, {"after": 3}, spool="b" * 32)
    ledger.close()
    assert file.stat().st_mode & 0o777 == 0o600
    assert repair(file, LATER) is None
    assert sorted(path.name for path in file.parent.iterdir() if "repair" in path.name) == []


@pytest.mark.parametrize("left", [0.5, 0.8, 0.999])
def test_of_a_file_that_was_cut_all_is_saved_that_stands_in_the_rest(file: Path, left: float):
    os.truncate(file, int(file.stat().st_size * left) // PAGE * PAGE)
    found = repair(file, LATER)

    assert found is not None
    saved = {table.table: table.saved for table in found.tables}
    assert saved["groups"] > ERRORS * left / 2
    assert saved["letters"] == 2
    assert saved["spools"] == 1
    ledger = Ledger.open(sqlite_url(file), verify=True)
    assert figures(ledger)["received"] >= 2 * ERRORS
    ledger.close()


@pytest.mark.parametrize("damage", ["a bit of the head", "the whole head", "a page of counts", "a page of an index"])
def test_damage_outside_messages_and_groups_loses_no_mail_and_no_message(file: Path, damage: str):
    DAMAGE[damage](file)
    found = repair(file, LATER)
    ledger = Ledger.open(sqlite_url(file))

    assert found is not None
    assert (found.dropped, found.missing, found.unexplained) == (0, 0, 0)
    assert figures(ledger) == {"received": 857, "reported": 800, "pending": 57}
    assert ledger.cursor(SPOOL) == 857
    message, state = send(ledger, SENT, at=LATER)
    assert (message.recipients, state) == ((ADA,), MessageState.SENT)
    ledger.close()


def test_lost_groups_are_reported_in_numbers_and_their_mails_booked(file: Path):
    """Of 401 groups those of one page are lost; their pending mails can no longer be reported."""
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE groups SET pending_mails = 2, pending_occurrences = 2, mails = mails + 2")
        connection.execute("UPDATE spools SET received = received + 2 * 401 - 7")
    connection.close()
    DAMAGE["a page of groups"](file)
    found = repair(file, LATER)
    assert found is not None
    [groups] = [each for each in found.tables if each.table == "groups"]
    ledger = Ledger.open(sqlite_url(file))
    books = figures(ledger)
    ledger.close()

    assert 300 < groups.saved < 401
    lost = 401 - groups.saved
    assert groups.lost in {lost, None}
    assert found.missing == 2 * lost == books["undelivered"]


def test_message_whose_bytes_are_lost_is_dropped_and_its_totals_are_reported(file: Path):
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM bodies WHERE letter_id IN (SELECT id FROM letters WHERE state = 'open')")
    connection.close()
    DAMAGE["a page of an index"](file)
    found = repair(file, LATER)
    ledger = Ledger.open(sqlite_url(file))

    assert found is not None
    assert found.dropped == 1
    assert figures(ledger) == {"received": 857, "reported": 800, "pending": 7, "undelivered": 50}
    assert ledger.claim_message("worker", LATER, timedelta(minutes=5)) is None
    assert [message.state for message in ledger.messages()].count(MessageState.DROPPED) == 1
    ledger.close()


def log_of(file: Path, damage: Callable[[bytearray], bytearray], *, keep_index: bool) -> None:
    """Give the ledger a write-ahead log of 30 commits, as a killed process leaves it, and damage that log."""
    ledger = Ledger.open(sqlite_url(file))
    for number in range(30):
        ingest(ledger, {f"logged {number}": 1}, spool="c" * 32)
    saved = {suffix: file.with_name(file.name + suffix).read_bytes() for suffix in ("", "-wal", "-shm")}
    ledger.close()
    for suffix, data in saved.items():
        if suffix != "-shm" or keep_index:
            new = damage(bytearray(data)) if suffix == "-wal" else data
            file.with_name(file.name + suffix).write_bytes(new)


def flipped(data: bytearray, at: int) -> bytearray:
    data[at] ^= 1
    return data


LOGS: dict[str, tuple[Callable[[bytearray], bytearray], bool]] = {
    "a bit in the middle": (lambda data: flipped(data, len(data) // 2), False),
    "a bit of its head": (lambda data: flipped(data, 5), False),
    "a bit of its last frame, with the index": (lambda data: flipped(data, len(data) - 100), True),
    "cut, with the index": (lambda data: data[: len(data) // 2], True),
}


@pytest.mark.parametrize("damage", LOGS)
def test_log_that_lost_commits_is_not_opened_but_repaired(file: Path, damage: str):
    change, keep_index = LOGS[damage]
    log_of(file, change, keep_index=keep_index)

    with pytest.raises(LedgerDamaged, match="write-ahead log"):
        Ledger.open(sqlite_url(file), verify=True)
    found = repair(file, LATER)

    assert found is not None
    assert found.damaged_file.with_name(f"{found.damaged_file.name}-wal").exists()
    ledger = Ledger.open(sqlite_url(file), verify=True)
    assert figures(ledger)["received"] >= 857
    ledger.close()


@pytest.mark.parametrize("tail", ["torn", "whole"])
def test_log_as_a_power_cut_leaves_it_is_opened(file: Path, tail: str):
    """The last transaction may be torn: it was never synced, and nothing has relied on its commit."""
    log_of(file, lambda data: flipped(data, len(data) - 100) if tail == "torn" else data, keep_index=False)
    ledger = Ledger.open(sqlite_url(file), verify=True)
    assert figures(ledger)["received"] == 857 + (29 if tail == "torn" else 30)
    ledger.close()


@pytest.mark.parametrize("lost", ["cut", "zeros"])
def test_power_cut_anywhere_in_the_last_transaction_costs_that_one_at_most(file: Path, lost: str):
    """Cut at many of its bytes, or with one of its blocks never written: nothing has relied on its commit."""
    log_of(file, lambda data: data, keep_index=False)
    log = file.with_name("ledger.db-wal")
    saved = {path: path.read_bytes() for path in (file, log)}
    whole = saved[log]
    start = beginning_of_the_last(whole)
    found = set()
    for offset in range(start, len(whole), max(1, (len(whole) - start) // 12)):
        for path, data in saved.items():
            path.write_bytes(data)
        if lost == "cut":
            os.truncate(log, offset)
        else:
            spoil(log, offset, bytes(min(512, len(whole) - offset)))
        ledger = Ledger.open(sqlite_url(file), verify=True)
        found.add(figures(ledger)["received"])
        ledger.close()

    assert found <= {886, 887}
    assert 886 in found


def beginning_of_the_last(log: bytes) -> int:
    """Where the last transaction of a write-ahead log begins: behind the commit frame before its own."""
    frames = range(32, len(log), 24 + PAGE)
    ends = [at for at in frames if log[at + 4 : at + 8] != bytes(4) and log[at + 8 : at + 16] == log[16:24]]
    return ends[-2] + 24 + PAGE


def test_index_of_the_log_that_is_garbage_does_no_harm(file: Path):
    log_of(file, lambda data: data, keep_index=True)
    file.with_name("ledger.db-shm").write_bytes(os.urandom(32 << 10))
    ledger = Ledger.open(sqlite_url(file), verify=True)
    assert figures(ledger)["received"] == 887
    ledger.close()


def test_sound_ledger_is_left_alone(file: Path):
    before = file.read_bytes()

    assert repair(file, LATER) is None
    assert file.read_bytes() == before


def test_folder_in_the_ledgers_place_is_said_to_be_one(file: Path):
    file.unlink()
    file.mkdir()

    for act in (lambda: Ledger.open(sqlite_url(file)), lambda: repair(file, LATER)):
        with pytest.raises(LedgerError, match="is no file: move away what is there"):
            act()


def test_ledger_of_a_later_release_is_not_repaired(file: Path):
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    DAMAGE["a page of counts"](file)

    with pytest.raises(LedgerTooNew, match="9999"):
        repair(file, LATER)
    assert list(file.parent.glob("*damaged*")) == []


def test_repair_without_room_leaves_everything_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch):
    DAMAGE["a page of counts"](file)
    spoilt = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("relay.ledger.repair.rebuild._copy", full)
    with pytest.raises(LedgerError, match="cannot be repaired: No space left"):
        repair(file, LATER)
    assert file.read_bytes() == spoilt
