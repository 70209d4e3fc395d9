"""Workers with version 1 and version 2 of the fingerprint on one ledger: what one knows is not new to the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from unittest.mock import patch

import pytest

from relay.grouping.former import fingerprint_1
from relay.grouping.versions import FingerprintMethod, Versions
from relay.ingest.carry_over import MAX_FORMER_KEYS, MIXED_FOR
from relay.ingest.step import Ingest
from relay.ingest.versions import VERSIONS
from relay.ledger import Ledger
from relay.model import AppRule, Fingerprint, Phase, Record, Report
from relay.parse.bounces import Ourselves
from relay.parse.former import whole_report
from relay.parse.report import parse_all, parse_text
from relay.schedule.group import mark_reported, reason
from tests.support.ingest_bench import NOW, IngestBench, mail

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

OLD = Versions(current=fingerprint_1, number=1)


def version_2(key: str) -> Versions:
    """A version 2 that makes one error of all messages with the same word at the place `key`."""

    def method(report: Report) -> Fingerprint:
        words = report.message.split()
        return Fingerprint(version=2, key=f"second {words[int(key)]}", title=f"second: {report.message}")

    current: FingerprintMethod = method
    return Versions(current=current, number=2, former={1: fingerprint_1})


class Machine(IngestBench):
    """One machine with its own spool. Its worker stays the same one, as a running process does."""

    def __init__(self, folder: Path, ledger: Ledger, versions: Versions, **tables) -> None:
        folder.mkdir()
        super().__init__(folder, ledger, **tables)
        self.versions = versions
        self.running: Ingest | None = None

    def receive(self, *messages: str, later: timedelta = timedelta(), subject: str = "App Failed") -> None:
        self.spool([mail(message, subject=subject) for message in messages], at=NOW + later)
        worker = self.running = self.running or self.worker()
        while worker.step(NOW + later):
            pass


def read_as_version_1(record: Record, apps: Iterable[AppRule], ours: Ourselves) -> list[Report]:
    """What the release with version 1 reads in a mail: one report, with all of the text as its message."""
    report = parse_all(record, apps, ours)[0]
    return [replace(whole_report(report), app=report.former_app or report.app)]


class OldMachine(Machine):
    """A machine with the release of version 1."""

    def receive(self, *messages: str, later: timedelta = timedelta(), subject: str = "App Failed") -> None:
        with patch("relay.ingest.step.parse_all", read_as_version_1):
            super().receive(*messages, later=later, subject=subject)


class Fleet:
    """An old and a new machine on one ledger."""

    def __init__(self, folder: Path, ledger: Ledger, new: Versions = VERSIONS) -> None:
        self.ledger = ledger
        self.old = OldMachine(folder / "old", ledger, OLD)
        self.new = Machine(folder / "new", ledger, new)
        self.old.receive("the old machine is in use")
        self.report(timedelta())

    def report(self, later: timedelta) -> list[tuple[str, str]]:
        """Report all that is pending as a digest does; return reason and title of each error."""
        found = []
        timing = self.old.settings.timing
        for group in self.ledger.groups(limit=1_000):
            if group.pending_occurrences:
                why = reason(group, timing, NOW + later + 5 * HOUR)
                assert why
                found.append((why.value, group.title))
                self.ledger.revise(group.id, partial(mark_reported, why=why, timing=timing, now=NOW + later))
        return sorted(found)

    def news(self, later: timedelta = timedelta()) -> list[str]:
        return [title for why, title in self.report(later) if why in {"new", "back"}]


@pytest.fixture
def fleet(tmp_path: Path, ledger: Ledger) -> Fleet:
    return Fleet(tmp_path, ledger)


ERRORS = ("order 1 is lost", "the printer burns", "msg='disk full on sda' errno=28", "ERROR: payment failed\ncall me")


@pytest.mark.parametrize("order", list(permutations(("old", "new"))), ids=" before ".join)
def test_an_error_that_one_machine_reported_is_not_new_to_the_other(fleet: Fleet, order: Sequence[str]):
    first, second = (getattr(fleet, name) for name in order)
    first.receive(*ERRORS)
    assert len(fleet.news()) == len(ERRORS)

    for number in range(1, 4):
        second.receive(*ERRORS, later=number * MINUTE)
        first.receive(*ERRORS, later=number * MINUTE)
        assert fleet.news(number * MINUTE) == []

    assert sum(group.mails for group in fleet.ledger.groups()) == fleet.ledger.books(NOW).received


def test_a_machine_that_takes_over_many_known_errors_reports_none_of_them(fleet: Fleet):
    messages = [f"{word}{other} broke" for word in "abcdefghij" for other in "bcdfghjklm"]
    fleet.old.receive(*messages)
    assert len(fleet.news()) == 100

    fleet.new.receive(*messages, later=MINUTE)
    fleet.old.receive(*messages, later=2 * MINUTE)

    assert fleet.news(2 * MINUTE) == []


@pytest.mark.parametrize("order", list(permutations(("old", "new"))), ids=" before ".join)
def test_errors_that_version_2_joins_are_known_to_both(tmp_path: Path, ledger: Ledger, order: Sequence[str]):
    fleet = Fleet(tmp_path, ledger, version_2("-1"))
    first, second = (getattr(fleet, name) for name in order)
    first.receive("the printer burns", "my paper burns")
    assert fleet.news()

    for number in (1, 2, 3):
        second.receive("my paper burns", "the printer burns", later=number * MINUTE)
        first.receive("the printer burns", "my paper burns", later=number * MINUTE)
        assert fleet.news(number * MINUTE) == []


def test_errors_that_version_2_splits_are_known_to_both(tmp_path: Path, ledger: Ledger):
    fleet = Fleet(tmp_path, ledger, version_2("1"))
    fleet.old.receive("order 1 is lost", "order 2 is lost")
    assert fleet.news() == ["order <number> is lost"]

    for number in (1, 2, 3):
        fleet.new.receive("order 1 is lost", "order 2 is lost", "order 3 is lost", later=number * MINUTE)
        fleet.old.receive("order 1 is lost", "order 3 is lost", later=number * MINUTE)
        assert fleet.news(number * MINUTE) == []


def test_what_only_version_2_distinguishes_is_new_until_the_old_machine_has_seen_it(tmp_path: Path, ledger: Ledger):
    fleet = Fleet(tmp_path, ledger, version_2("1"))
    fleet.new.receive("order 1 is lost")
    assert fleet.news() == ["second: order 1 is lost"]
    fleet.new.receive("order 2 is lost", later=MINUTE)
    assert fleet.news(MINUTE) == ["second: order 2 is lost"]

    fleet.old.receive("order 3 is lost", later=2 * MINUTE)
    assert fleet.news(2 * MINUTE) == []
    fleet.new.receive("order 3 is lost", later=3 * MINUTE)
    assert fleet.news(3 * MINUTE) == []


def test_an_error_with_another_app_name_under_version_2_is_known_to_both(fleet: Fleet):
    subject = "payment of the order failed"
    fleet.old.receive("payment of the order failed: card expired", subject=subject)
    assert len(fleet.news()) == 1

    fleet.new.receive("payment of the order failed: card expired", later=MINUTE, subject=subject)
    fleet.old.receive("payment of the order failed: card expired", later=2 * MINUTE, subject=subject)

    assert fleet.news(2 * MINUTE) == []


def test_an_error_that_goes_on_at_the_other_machine_is_not_back(fleet: Fleet):
    fleet.new.receive("the printer burns")
    fleet.report(timedelta())
    for hours in range(1, 30):
        fleet.old.receive("the printer burns", later=hours * HOUR)
    assert fleet.news(30 * HOUR) == []

    fleet.new.receive("the printer burns", later=30 * HOUR)

    assert fleet.news(30 * HOUR) == []


def test_a_muted_error_is_muted_for_the_old_machine_after_its_next_mail_at_the_new_one(fleet: Fleet):
    fleet.new.receive("the printer burns")
    fleet.report(timedelta())
    fleet.new.mute(NOW + HOUR)
    fleet.new.receive("the printer burns", later=MINUTE)

    fleet.old.receive("the printer burns", later=2 * MINUTE)

    assert fleet.report(2 * MINUTE) == []
    assert fleet.ledger.books(NOW).muted == 2


def test_rows_for_the_old_machine_are_not_listed_before_it_uses_them(fleet: Fleet):
    fleet.new.receive("the printer burns")

    assert [group.title for group in fleet.ledger.groups()].count("the printer burns") == 1
    assert fleet.ledger.tally().groups == 2


def test_rows_for_the_old_machine_are_purged_after_a_week(fleet: Fleet):
    fleet.new.receive("the printer burns")
    fleet.report(timedelta())
    key = fleet.ledger.groups()[0]
    assert fleet.ledger.purge(NOW + 8 * DAY, samples_for=90 * DAY, counts_for=90 * DAY)

    assert fleet.ledger.group(key.id)
    fleet.old.receive("the printer burns", later=8 * DAY)
    assert fleet.news(8 * DAY) == ["the printer burns"], "the old machine's row is gone"


def test_an_error_with_another_old_key_in_each_mail_gets_a_bounded_number_of_rows(tmp_path: Path, ledger: Ledger):
    fleet = Fleet(tmp_path, ledger, version_2("-1"))
    words = [f"{a}{b}" for a in "bcdfghjk" for b in "lmnpqrst"]
    fleet.new.receive(*(f"the {word} burns" for word in words))
    fleet.report(timedelta())

    fleet.old.receive(*(f"the {word} burns" for word in words), later=MINUTE)

    assert len(fleet.news(MINUTE)) == len(words) - MAX_FORMER_KEYS


def test_an_upgraded_fleet_makes_no_rows_for_old_machines(fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    fleet.old.versions, fleet.old.running = VERSIONS, None
    Machine.receive(fleet.old, "it is upgraded", later=MINUTE)
    fleet.new.receive("the printer burns", later=2 * MINUTE)
    fleet.report(2 * MINUTE)

    assert fleet.ledger.older_spools(2, except_of="") == {}
    assert len(fleet.ledger.versions_of(every_key(fleet, "the printer burns"))) == 1


def test_a_machine_that_is_gone_counts_as_old_for_a_day(fleet: Fleet):
    fleet.new.receive("the printer burns")
    fleet.new.receive("the disk is full", later=MIXED_FOR + MINUTE)

    assert len(fleet.ledger.versions_of(every_key(fleet, "the printer burns"))) == 2
    assert len(fleet.ledger.versions_of(every_key(fleet, "the disk is full"))) == 1


def every_key(fleet: Fleet, message: str) -> list[tuple[str, str, str]]:
    """The keys of an error under both versions."""
    [group] = [group for group in fleet.ledger.groups() if group.title == message]
    first = fingerprint_1(parse_text("App Failed", message)).key
    return [(group.route, group.app, key) for key in (first, group.fingerprint)]


def test_the_old_machine_goes_on_with_an_error_that_ended_long_ago_as_back(fleet: Fleet):
    fleet.old.receive("the printer burns")
    fleet.report(timedelta())
    fleet.new.receive("the printer burns", later=MINUTE)
    fleet.report(MINUTE)

    fleet.old.receive("the printer burns", later=3 * DAY)

    assert fleet.report(3 * DAY) == [("back", "the printer burns")]
    assert {group.phase for group in fleet.ledger.groups()} == {Phase.OPEN}
