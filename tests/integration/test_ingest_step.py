"""The step from spool to ledger, on a real spool and a real ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import relay.grouping.fingerprint
import relay.parse.report
import relay.schedule.group
from relay.errors import CursorMismatch, LedgerBusy
from relay.grouping.versions import Versions
from relay.housekeeping import Housekeeping
from relay.ledger import Ledger
from relay.model import Level, Retained
from relay.spool import SpoolReader
from tests.support.ingest_bench import NOW, IngestBench, mail, of_our_client


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., IngestBench]]:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    yield lambda **tables: IngestBench(tmp_path, ledger, **tables)
    ledger.close()


def test_mails_of_one_error_become_one_group(make_bench):
    bench = make_bench()
    bench.spool([mail(f"order {number} is lost") for number in range(7)] + [mail("the ledger is broken")])

    bench.ingest_all()

    assert sorted(group.mails for group in bench.ledger.groups()) == [1, 7]
    assert bench.books() == {"received": 8, "pending": 8}


def test_without_a_spool_there_is_nothing_to_do(make_bench):
    worker = make_bench().worker()

    assert worker.step(NOW) is False
    assert worker.caught_up


def test_says_when_it_has_caught_up(make_bench):
    bench = make_bench()
    bench.spool([mail()])
    worker = bench.worker()

    assert (worker.step(NOW), worker.caught_up) == (True, False)
    assert (worker.step(NOW), worker.caught_up) == (False, True)


def test_a_mail_of_our_client_counts_for_all_it_stands_for(make_bench):
    bench = make_bench()
    bench.spool([of_our_client(1, count=40), of_our_client(2, count=2)])

    bench.ingest_all()

    [group] = bench.ledger.groups()
    assert (group.mails, group.occurrences) == (2, 42)


@pytest.mark.parametrize("same_batch", [True, False])
def test_a_mail_our_client_repeats_is_counted_once(make_bench, same_batch):
    bench = make_bench()
    bench.spool([of_our_client(1)] * (2 if same_batch else 1))
    bench.ingest_all()
    if not same_batch:
        bench.spool([of_our_client(1)])
        bench.ingest_all(NOW + timedelta(hours=23))

    assert [group.mails for group in bench.ledger.groups()] == [1]
    assert bench.books() == {"received": 2, "pending": 1, "ignored": 1}


def test_a_returned_digest_of_our_own_is_counted_and_never_reported(make_bench):
    bench = make_bench()
    bench.spool([mail(X_Error_Mail_Relay="digest")])

    bench.ingest_all()

    assert bench.ledger.groups() == []
    assert bench.books() == {"received": 1, "ignored": 1}


def test_mail_that_exceeds_the_rate_of_a_mute_is_pending_and_those_before_it_are_muted(make_bench):
    """The rate is counted over batches, by the minutes of the last hour."""
    bench = make_bench()
    bench.spool([mail()])
    bench.ingest_all()
    bench.mute(above=5)
    for minute, count in ((1, 3), (50, 2), (70, 4)):
        bench.spool([mail()] * count, at=NOW + timedelta(minutes=minute))
        bench.ingest_all(NOW + timedelta(minutes=minute))

    [group] = bench.ledger.groups()
    assert bench.books() == {"received": 10, "pending": 5, "muted": 5}, "2 + 4 in the last hour are more than 5"
    assert group.mute_exceeded
    assert group.muted_until == NOW + timedelta(minutes=70)


def test_mails_of_a_muted_error_are_booked_as_muted(make_bench):
    bench = make_bench()
    bench.spool([mail()])
    bench.ingest_all()
    bench.mute(NOW + timedelta(hours=1))
    bench.spool([mail()] * 3, at=NOW + timedelta(minutes=1))

    bench.ingest_all()

    assert bench.books() == {"received": 4, "pending": 1, "muted": 3}


def test_a_mail_of_which_only_the_fact_was_kept_is_counted(make_bench):
    bench = make_bench()
    bench.spool([b""], retained=Retained.COUNT)

    bench.ingest_all()

    assert bench.books() == {"received": 1, "pending": 1}


def test_a_route_takes_what_it_asks_for(make_bench):
    bench = make_bench(route=[{"name": "shop", "recipients": ["shop@example.com"], "app": "Shop*"}])
    bench.spool([mail(subject="Shop Failed"), mail(subject="Other Failed")])

    bench.ingest_all()

    assert sorted((group.route, group.app) for group in bench.ledger.groups()) == [
        ("admins", "Other Failed"),
        ("shop", "Shop Failed"),
    ]


def test_the_worst_level_of_a_batch_is_kept(make_bench):
    bench = make_bench()
    text = "\r\nMessage type:       {}\r\nLocation:           a.py:1\r\n\r\nMessage:\r\n\r\nit broke\r\n"
    bench.spool([mail(text.format(level)) for level in ("ERROR", "CRITICAL", "ERROR")])

    bench.ingest_all()

    assert {group.level for group in bench.ledger.groups()} == {Level.CRITICAL}


# --- What goes wrong --------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends a worker on the spot, as SIGKILL does."""


def kill_at(monkeypatch, content: bytes) -> list[int]:
    """Make every worker that begins to read this mail die; returns the list of deaths."""
    real, deaths = relay.parse.report.parse_all, []

    def parse(record, *settings):
        if content in record.content:
            deaths.append(record.position)
            raise Killed
        return real(record, *settings)

    monkeypatch.setattr("relay.ingest.step.parse_all", parse)
    return deaths


def die_while_booking(bench, monkeypatch, times: int) -> None:
    """Have so many workers die, one after the other, before what they booked is committed."""

    def killed(point: str) -> None:
        if point == "ingest.commit":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("relay.ingest.step.reach", killed)
        for _ in range(times):
            with pytest.raises(Killed):
                bench.ingest_all()


def test_a_mail_that_kills_is_parked_and_the_others_are_sorted(make_bench, monkeypatch):
    bench = make_bench()
    deaths = kill_at(monkeypatch, b"poison")
    bench.spool([mail("one"), mail("poison"), mail("two")])
    for _ in range(10):
        try:
            bench.ingest_all()
            break
        except Killed:
            continue

    assert len(deaths) == 3  # once in its batch, twice alone
    assert bench.books() == {"received": 3, "pending": 2, "parked": 1}
    [parked] = bench.ledger.quarantined()
    assert b"poison" in Path(parked.path).read_bytes()
    assert Path(parked.path).stat().st_mode & 0o777 == 0o600


def test_a_worker_that_was_killed_for_another_reason_parks_nothing(make_bench, monkeypatch):
    bench = make_bench()
    bench.spool([mail("one"), mail("two"), mail("three")])
    with monkeypatch.context() as patch:
        kill_at(patch, b"two")
        with pytest.raises(Killed):
            bench.ingest_all()

    bench.ingest_all()

    assert bench.books() == {"received": 3, "pending": 3}


def test_workers_that_are_killed_while_they_book_a_mail_are_hardly_its_doing(make_bench, monkeypatch):
    """As where the disk is slow and somebody kills them again and again."""
    bench = make_bench()
    bench.spool([mail("one"), mail("two")])

    die_while_booking(bench, monkeypatch, times=5)

    bench.ingest_all()

    assert bench.books() == {"received": 2, "pending": 2}


def test_a_mail_that_kills_whenever_it_is_booked_is_parked_in_the_end(make_bench, monkeypatch):
    bench = make_bench()
    bench.spool([mail("one"), mail("two")])
    die_while_booking(bench, monkeypatch, times=7)

    bench.ingest_all()

    assert bench.books() == {"received": 2, "pending": 1, "parked": 1}


def test_a_parked_mail_without_room_stays_in_the_spool_and_holds_nobody_up(make_bench, monkeypatch):
    """A file in the folder's place stands for a disk that takes no new one."""
    bench = make_bench()
    original = relay.parse.report.parse_all

    def fail(record, *settings):
        if b"poison" in record.content:
            raise RuntimeError
        return original(record, *settings)

    monkeypatch.setattr("relay.ingest.step.parse_all", fail)
    (bench.folder / "parked").touch()
    bench.spool([mail("fine"), mail("poison"), mail("fine too")])
    bench.spool([mail("later")])  # a segment of its own
    bench.ingest_all()
    bench.spool([mail("after a restart of the worker")])
    bench.ingest_all()
    assert bench.books() == {"received": 5, "pending": 4, "parked": 1}
    assert [parked.path for parked in bench.ledger.quarantined()] == [""]
    assert len(segments(bench)) == 3, "all from its own on"

    (bench.folder / "parked").unlink()
    reader = SpoolReader(bench.folder / "spool")
    Housekeeping(bench.ledger, reader, bench.settings).step(NOW)

    [parked] = bench.ledger.quarantined()
    assert b"poison" in Path(parked.path).read_bytes()
    assert Path(parked.path).stat().st_mode & 0o777 == 0o600
    assert bench.books() == {"received": 5, "pending": 4, "parked": 1}
    assert len(segments(bench)) == 1


def segments(bench: IngestBench) -> list[Path]:
    return list((bench.folder / "spool").glob("*.segment"))


def test_a_mail_whose_understanding_fails_is_parked_at_once(make_bench, monkeypatch):
    bench = make_bench()
    real = relay.grouping.fingerprint.fingerprint

    def fingerprint(report):
        if "strange" in report.message:
            raise RuntimeError("a bug of ours")
        return real(report)

    bench.versions = Versions(current=fingerprint, number=1)
    bench.spool([mail("strange"), mail("usual")])

    bench.ingest_all()

    assert bench.books() == {"received": 2, "pending": 1, "parked": 1}
    assert "RuntimeError" in bench.ledger.quarantined()[0].reason


def test_a_batch_that_the_ledger_could_not_take_is_sorted_again_and_blamed_on_no_mail(make_bench, monkeypatch):
    bench = make_bench()
    bench.spool([mail()] * 5)
    real, calls = relay.schedule.group.arrive, []

    def arrive(*args, **kwargs):
        calls.append(args)
        if len(calls) <= 5:
            raise LedgerBusy("locked")
        return real(*args, **kwargs)

    monkeypatch.setattr("relay.ingest.counting.arrive", arrive)
    worker = bench.worker()
    for _ in range(5):
        with pytest.raises(LedgerBusy):
            worker.step(NOW)

    assert worker.step(NOW) is True
    assert bench.books() == {"received": 5, "pending": 5}


def test_a_ledger_that_is_ahead_of_its_spool_stops_the_worker_loudly(make_bench):
    bench = make_bench()
    bench.spool([mail()])
    spool_id = SpoolReader(bench.folder / "spool").spool_id
    with bench.ledger.ingesting(spool_id, 0) as tx:
        tx.advance(2**40)

    with pytest.raises(CursorMismatch, match="operations"):
        bench.worker().step(NOW)


def test_a_new_spool_on_an_old_ledger_begins_at_its_beginning(make_bench):
    bench = make_bench()
    bench.spool([mail()])
    bench.ingest_all()
    (bench.folder / "spool").rename(bench.folder / "old-spool")
    bench.spool([mail(), mail()])

    bench.ingest_all()

    assert bench.books() == {"received": 3, "pending": 3}
