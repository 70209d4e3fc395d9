"""A backup holds the ledger and the mails it has not ingested, consistently, and is restored into an empty folder."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.errors import InUse
from relay.ledger import Ledger, sqlite_url
from relay.service.backup import BackupError, back_up, restore
from relay.service.lock import hold_lock
from tests.support.ingest_bench import IngestBench, mail


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[IngestBench]:
    """A ledger that has ingested three mails, and a spool in which five more wait."""
    folder = tmp_path / "data"
    ledger = Ledger.open(sqlite_url(folder / "ledger.db"))
    found = IngestBench(folder, ledger)
    found.spool([mail(f"order {number} is lost") for number in range(3)])
    found.ingest_all()
    found.spool([mail("the ledger is broken")] * 5)
    yield found
    ledger.close()


def restored(file: Path, folder: Path) -> IngestBench:
    restore(file, folder)
    return IngestBench(folder, Ledger.open(sqlite_url(folder / "ledger.db")))


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}


def test_restore_brings_back_ingested_and_waiting_mails_once(bench: IngestBench, tmp_path: Path):
    (bench.folder / "parked").mkdir(mode=0o700)
    (bench.folder / "parked" / "odd.eml").write_bytes(b"odd")
    backlog, size = back_up(bench.folder, bench.folder / "ledger.db", tmp_path / "backup")
    assert (backlog, size) == (5, (tmp_path / "backup").stat().st_size)
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    other = restored(tmp_path / "backup", tmp_path / "other")
    assert other.books() == {"received": 3, "pending": 3}
    other.spool([mail("one more")])
    other.ingest_all()

    assert other.books() == {"received": 9, "pending": 9}
    assert (tmp_path / "other" / "parked" / "odd.eml").read_bytes() == b"odd"
    assert modes(tmp_path / "other" / "spool") | modes(tmp_path / "other" / "parked") == {0o600}
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700
    other.ledger.close()


def test_backup_leaves_no_files_behind_and_the_worker_goes_on(bench: IngestBench, tmp_path: Path):
    before = sorted(path.name for path in bench.folder.iterdir())
    back_up(bench.folder, bench.folder / "ledger.db", tmp_path / "backup")
    bench.ingest_all()

    assert bench.books() == {"received": 8, "pending": 8}
    assert sorted(path.name for path in bench.folder.iterdir() if not path.name.startswith("ledger")) == [
        name for name in before if not name.startswith("ledger")
    ]


def test_backup_during_intake_and_ingest_loses_no_mail_and_repeats_none(bench: IngestBench, tmp_path: Path):
    """Each backup, restored and ingested, holds at least the mails accepted before it, and none twice."""
    bench.ingest_all()
    accepted, stop = [8], threading.Event()

    def storm() -> None:
        while not stop.is_set():
            bench.spool([mail(f"storm {accepted[0]}")] * 20)  # a new segment each time
            accepted[0] += 20
            bench.ingest_all()

    thread = threading.Thread(target=storm)
    thread.start()
    bounds = []
    for number in range(5):
        least = accepted[0]
        back_up(bench.folder, bench.folder / "ledger.db", tmp_path / f"backup {number}")
        bounds.append((least, accepted[0] + 20))
    stop.set()
    thread.join()
    for number, (least, most) in enumerate(bounds):
        other = restored(tmp_path / f"backup {number}", tmp_path / f"other {number}")
        other.spool([])
        other.ingest_all()
        received = other.books()["received"]
        other.ledger.close()
        assert least <= received <= most
        assert (received - 8) % 20 == 0


def test_restore_needs_an_empty_folder_and_no_running_relay(bench: IngestBench, tmp_path: Path):
    back_up(bench.folder, bench.folder / "ledger.db", tmp_path / "backup")

    with pytest.raises(BackupError, match="is not empty"):
        restore(tmp_path / "backup", bench.folder)
    with hold_lock(tmp_path / "busy", "supervisor"), pytest.raises(InUse):
        restore(tmp_path / "backup", tmp_path / "busy")


@pytest.mark.parametrize("name", ["../escape", "spool/../../escape", "/etc/escape", "other", "spool/link"])
def test_foreign_tar_file_is_refused_and_leaves_no_files(tmp_path: Path, name: str):
    with tarfile.open(tmp_path / "evil", "w") as tar:
        info = tarfile.TarInfo(name)
        if name.endswith("link"):
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info, io.BytesIO())

    with pytest.raises(BackupError, match="not a backup of the relay"):
        restore(tmp_path / "evil", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir() if path.suffix != ".lock"] == []
    assert not (tmp_path / "escape").exists()


def test_truncated_backup_is_refused_and_leaves_no_files(bench: IngestBench, tmp_path: Path):
    back_up(bench.folder, bench.folder / "ledger.db", tmp_path / "backup")
    os.truncate(tmp_path / "backup", 3000)

    with pytest.raises(BackupError, match="cannot be restored"):
        restore(tmp_path / "backup", tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir() if path.suffix != ".lock"] == []


def test_backup_that_cannot_be_written_says_why_and_keeps_the_last_one(bench: IngestBench, tmp_path: Path):
    (tmp_path / "backup").write_text("the last one")

    with pytest.raises(BackupError, match="No such file or directory"):
        back_up(bench.folder, bench.folder / "ledger.db", tmp_path / "nowhere" / "backup")
    with pytest.raises(Exception, match="no ledger"):
        back_up(bench.folder, bench.folder / "none.db", tmp_path / "backup")
    assert (tmp_path / "backup").read_text() == "the last one"
