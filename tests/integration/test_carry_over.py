"""An update that changes the fingerprint: mails before it and after it, through the step from spool to ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from relay.commands.actions import Merge
from relay.commands.handle import carry_out
from relay.digest import Digests
from relay.grouping.former import fingerprint_1
from relay.grouping.versions import FingerprintMethod, Versions
from relay.ledger import Ledger, Outcome
from relay.model import Fingerprint, Phase, Reason, Report
from relay.schedule.group import mark_reported
from relay.service.assembly import make_renderer
from tests.support.ingest_bench import NOW, IngestBench, mail

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def version_2(key: Callable[[Report], str]) -> FingerprintMethod:
    """A second version, which distinguishes errors by `key` of their report."""

    def method(report: Report) -> Fingerprint:
        return Fingerprint(version=2, key=f"second {key(report)}", title=f"second: {report.message}")

    return method


SAME = version_2(lambda report: fingerprint_1(report).key)
"""Other keys, and the same errors."""
COARSER = version_2(lambda _: "all is one")
FINER = version_2(lambda report: report.message)


def after(method: FingerprintMethod) -> Versions:
    """The release with that second version, which can still make the first."""
    return Versions(current=method, number=2, former={1: fingerprint_1})


FIRST = Versions(current=fingerprint_1, number=1)
"""The release before, which knows of no later version."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[IngestBench]:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    yield with_versions(IngestBench(tmp_path, ledger), FIRST)
    ledger.close()


def with_versions(bench: IngestBench, versions: Versions) -> IngestBench:
    bench.versions = versions
    return bench


def sort(bench: IngestBench, *messages: str, later: timedelta = timedelta()) -> None:
    bench.spool([mail(message) for message in messages], at=NOW + later)
    bench.ingest_all(NOW + later)


def send_due_digest(bench: IngestBench, later: timedelta) -> list[tuple[str, str, int]]:
    """Freeze what is due and have it delivered: reason, title and count of each entry."""
    digests = Digests(bench.ledger, make_renderer(bench.settings), bench.settings, "test")
    if not digests.step(NOW + later, caught_up=False):
        return []
    message = bench.ledger.claim_message("test", NOW + later, MINUTE)
    assert message
    outcome = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
    bench.ledger.settle(message, outcome, NOW + later)
    entries = bench.ledger.entries_of(message.id)
    return [(entry.reason.value, entry.title, entry.occurrences) for entry in entries]


def test_a_known_error_goes_on_under_the_new_version(bench):
    sort(bench, "order 1 is lost", "order 2 is lost")
    before = bench.ledger.groups()[0]
    bench.versions = after(SAME)

    sort(bench, "order 3 is lost", later=MINUTE)

    [group] = bench.ledger.groups()
    assert (group.id, group.version, group.mails, group.first_seen) == (before.id, 2, 3, before.first_seen)
    assert group.title == "second: order 3 is lost"
    assert bench.books() == {"received": 3, "pending": 3}


def test_the_update_alone_makes_no_news(bench):
    """Two hundred known errors: the first digest after the update reports none of them as new."""
    messages = [f"{word}{other} broke" for word in "abcdefghijklmnopqrst" for other in "bcdfghjklm"]
    sort(bench, *messages)
    assert {reason for reason, *_ in send_due_digest(bench, 11 * SECOND)} == {"new"}
    bench.versions = after(SAME)
    sort(bench, *messages, later=MINUTE)

    assert send_due_digest(bench, 5 * MINUTE) == []
    assert {(reason, count) for reason, _, count in send_due_digest(bench, 6 * MINUTE)} == {("ongoing", 1)}


def test_a_mute_holds_under_the_new_version(bench):
    sort(bench, "order 1 is lost")
    bench.mute(NOW + HOUR)
    bench.versions = after(SAME)

    sort(bench, "order 2 is lost", later=MINUTE)

    assert bench.books() == {"received": 2, "pending": 1, "muted": 1}


def test_errors_that_are_one_now_go_on_as_the_older_and_the_other_keeps_what_it_had(bench):
    sort(bench, "the printer burns")
    sort(bench, "the disk is full", later=MINUTE)
    bench.versions = after(COARSER)

    sort(bench, "the disk is full", "the printer burns", later=2 * MINUTE)

    assert {group.id: (group.title, group.mails) for group in bench.ledger.groups()} == {
        1: ("second: the printer burns", 3),
        2: ("the disk is full", 1),
    }
    assert bench.books() == {"received": 4, "pending": 4}


@pytest.mark.parametrize("together", [True, False])
def test_an_error_split_into_several_is_reported_as_ongoing_not_as_new(bench, together):
    """The first to come takes the group over, whether the parts come in one batch or after a restart."""
    sort(bench, "order 1 is lost", "order 2 is lost")
    send_due_digest(bench, 11 * SECOND)
    bench.versions = after(FINER)

    if together:
        sort(bench, "order 1 is lost", "order 2 is lost", "order 3 is lost", later=MINUTE)
    else:
        for number in (1, 2, 3):
            sort(bench, f"order {number} is lost", later=MINUTE)

    groups = sorted(bench.ledger.groups(), key=lambda group: group.title)
    assert groups[0].id == 1
    assert [(group.title, group.mails, group.phase) for group in groups] == [
        ("second: order 1 is lost", 3, Phase.OPEN),
        ("second: order 2 is lost", 1, Phase.OPEN),
        ("second: order 3 is lost", 1, Phase.OPEN),
    ]
    assert send_due_digest(bench, 5 * MINUTE) == []
    assert sorted(send_due_digest(bench, 6 * MINUTE)) == [
        ("ongoing", f"second: order {number} is lost", 1) for number in (1, 2, 3)
    ]
    assert bench.ledger.books(NOW).balanced


def test_a_part_of_a_muted_error_is_muted(bench):
    sort(bench, "order 1 is lost")
    bench.mute(NOW + HOUR)
    bench.versions = after(FINER)

    sort(bench, "order 1 is lost", "order 2 is lost", later=MINUTE)

    assert bench.books() == {"received": 3, "pending": 1, "muted": 2}


def test_what_no_version_knew_is_new(bench):
    sort(bench, "order 1 is lost")
    send_due_digest(bench, 11 * SECOND)
    bench.versions = after(SAME)

    sort(bench, "the printer burns", later=6 * MINUTE)

    assert send_due_digest(bench, 6 * MINUTE + 10 * SECOND) == [("new", "second: the printer burns", 1)]


def test_former_fingerprints_are_made_only_of_errors_without_a_group(bench):
    made = []

    def former(report: Report) -> Fingerprint:
        made.append(report.message)
        return fingerprint_1(report)

    sort(bench, "order 1 is lost")
    bench.versions = Versions(current=SAME, number=2, former={1: former})
    sort(bench, "order 2 is lost", "the printer burns")
    assert sorted(made) == ["order 2 is lost", "the printer burns"]
    sort(bench, "order 3 is lost", "the printer burns", "order 4 is lost")

    assert len(made) == 2


def unasked(report: Report) -> Fingerprint:
    raise AssertionError(f"asked for {report.message!r}")


def test_in_a_ledger_without_an_older_version_nothing_is_asked(bench, monkeypatch):
    bench.versions = Versions(current=SAME, number=2, former={1: unasked})
    monkeypatch.setattr(bench.ledger, "versions_of", pytest.fail)

    sort(bench, "order 1 is lost", "order 2 is lost")

    assert bench.ledger.groups()[0].mails == 2


def test_without_a_former_version_nothing_is_asked(bench, monkeypatch):
    monkeypatch.setattr(bench.ledger, "versions", pytest.fail)

    sort(bench, "order 1 is lost")

    assert bench.ledger.groups()[0].version == 1


def test_an_error_that_a_rule_joins_keeps_its_group(tmp_path, bench):
    rules = [{"name": "Printer", "action": "join", "message": "*printer*"}]
    office = with_versions(IngestBench(tmp_path, bench.ledger, rule=rules), FIRST)
    sort(office, "the printer burns")
    office.versions = after(FINER)

    sort(office, "the printer is wet", later=MINUTE)

    [group] = office.ledger.groups()
    assert (group.title, group.mails, group.version) == ("Printer", 2, 2)


def test_a_former_version_that_fails_makes_a_new_error_and_parks_nothing(bench):
    def broken(report: Report) -> Fingerprint:
        raise ZeroDivisionError(report.message)

    sort(bench, "order 1 is lost")
    bench.versions = Versions(current=SAME, number=2, former={1: broken})

    sort(bench, "order 2 is lost")

    assert [group.mails for group in bench.ledger.groups()] == [1, 1]
    assert bench.books() == {"received": 2, "pending": 2}


def killed(*_, **__) -> None:
    raise KeyboardInterrupt


def test_a_worker_that_dies_after_carrying_over_loses_nothing(bench, monkeypatch):
    sort(bench, "order 1 is lost")
    bench.versions = after(SAME)
    bench.spool([mail("order 2 is lost")])
    with monkeypatch.context() as patch:
        patch.setattr("relay.ingest.counting.arrive", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.worker().step(NOW)

    bench.ingest_all()

    [group] = bench.ledger.groups()
    assert (group.id, group.mails, group.version) == (1, 2, 2)
    assert bench.books() == {"received": 2, "pending": 2}


def test_an_error_that_had_ended_is_reported_as_again(bench):
    sort(bench, "order 1 is lost")
    number = bench.ledger.groups()[0].id

    def ended(group):
        after_telling = mark_reported(group, Reason.NEW, bench.settings.timing, NOW + MINUTE)
        return replace(after_telling, phase=Phase.ENDED, due_at=None)

    bench.ledger.revise(number, ended)
    bench.versions = after(FINER)

    sort(bench, "order 1 is lost", "order 2 is lost", later=HOUR)

    assert sorted(send_due_digest(bench, HOUR + 10 * MINUTE)) == [
        ("again", "second: order 1 is lost", 1),
        ("again", "second: order 2 is lost", 1),
    ]


@pytest.mark.parametrize("numbers", [(1, 2, 3), (2, 1, 3)])
def test_a_part_that_a_new_version_moves_to_another_route_is_an_error_of_its_own(tmp_path, bench, numbers):
    """Errors of different routes cannot be one: they go to different people."""
    route = {"name": "second", "recipients": ["second@example.com"], "pattern": "second: printer 2*"}
    shop = with_versions(IngestBench(tmp_path, bench.ledger, route=[route]), FIRST)
    sort(shop, "order 1 is lost", "printer 1 burns")
    errors = tuple(group.id for group in shop.ledger.groups())
    carry_out(shop.ledger, shop.settings, Merge(errors=errors, author="anna", at=NOW))
    shop.versions = after(FINER)

    sort(shop, *(f"printer {number} burns" for number in numbers), later=MINUTE)

    assert {(group.route, group.mails) for group in shop.ledger.groups()} == {("admins", 4), ("second", 1)}
    assert shop.books() == {"received": 5, "pending": 5}
