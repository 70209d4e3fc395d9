"""An update that changes the fingerprint: mails before it and after it, through the step from spool to ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from relay.digest import Digests
from relay.grouping.fingerprint import fingerprint
from relay.grouping.versions import Method, Versions
from relay.ledger import Ledger, Outcome
from relay.model import Fingerprint, Phase, Reason, Report
from relay.schedule.group import mark_reported
from relay.service.assembly import make_renderer
from tests.support.desk import NOW, Desk, mail

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def version_2(key: Callable[[Report], str]) -> Method:
    """A second version, that tells errors apart by `key` of their report."""

    def method(report: Report) -> Fingerprint:
        return Fingerprint(version=2, key=f"second {key(report)}", title=f"second: {report.message}")

    return method


SAME = version_2(lambda report: fingerprint(report).key)
"""Other keys, and the same errors."""
COARSER = version_2(lambda _: "all is one")
FINER = version_2(lambda report: report.message)


def after(method: Method) -> Versions:
    """The release with that second version, which can still make the first."""
    return Versions(current=method, number=2, former={1: fingerprint})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    yield Desk(tmp_path, ledger)
    ledger.close()


def sort(desk: Desk, *messages: str, later: timedelta = timedelta()) -> None:
    desk.spool([mail(message) for message in messages], at=NOW + later)
    desk.sort_all(NOW + later)


def tell(desk: Desk, later: timedelta) -> list[tuple[str, str, int]]:
    """Freeze what is due and have it delivered: reason, title and count of each entry."""
    digests = Digests(desk.ledger, make_renderer(desk.settings), desk.settings, "test")
    if not digests.step(NOW + later, caught_up=False):
        return []
    letter = desk.ledger.claim_message("test", NOW + later, MINUTE)
    assert letter
    outcome = Outcome(sent=frozenset(letter.recipients), tries=1, refusals=0, ambiguous=False)
    desk.ledger.settle(letter, outcome, NOW + later)
    entries = desk.ledger.entries_of(letter.id)
    return [(entry.reason.value, entry.title, entry.occurrences) for entry in entries]


def test_a_known_error_goes_on_under_the_new_version(desk):
    sort(desk, "order 1 is lost", "order 2 is lost")
    before = desk.ledger.groups()[0]
    desk.versions = after(SAME)

    sort(desk, "order 3 is lost", later=MINUTE)

    [group] = desk.ledger.groups()
    assert (group.id, group.version, group.mails, group.first_seen) == (before.id, 2, 3, before.first_seen)
    assert group.title == "second: order 3 is lost"
    assert desk.books() == {"received": 3, "pending": 3}


def test_the_update_alone_makes_no_news(desk):
    """Two hundred errors the admins know of: none of them is told as new by the first digest after the update."""
    messages = [f"{word}{other} broke" for word in "abcdefghijklmnopqrst" for other in "bcdfghjklm"]
    sort(desk, *messages)
    assert {reason for reason, *_ in tell(desk, 11 * SECOND)} == {"new"}
    desk.versions = after(SAME)
    sort(desk, *messages, later=MINUTE)

    assert tell(desk, 5 * MINUTE) == []
    assert {(reason, count) for reason, _, count in tell(desk, 6 * MINUTE)} == {("ongoing", 1)}


def test_a_mute_holds_under_the_new_version(desk):
    sort(desk, "order 1 is lost")
    desk.mute(NOW + HOUR)
    desk.versions = after(SAME)

    sort(desk, "order 2 is lost", later=MINUTE)

    assert desk.books() == {"received": 2, "pending": 1, "muted": 1}


def test_errors_that_are_one_now_go_on_as_the_older_and_the_other_keeps_what_it_had(desk):
    sort(desk, "the printer burns")
    sort(desk, "the disk is full", later=MINUTE)
    desk.versions = after(COARSER)

    sort(desk, "the disk is full", "the printer burns", later=2 * MINUTE)

    assert {group.id: (group.title, group.mails) for group in desk.ledger.groups()} == {
        1: ("second: the printer burns", 3),
        2: ("the disk is full", 1),
    }
    assert desk.books() == {"received": 4, "pending": 4}


@pytest.mark.parametrize("together", [True, False])
def test_an_error_that_is_several_now_is_told_as_ongoing_not_as_new(desk, together):
    """The first to come takes the group over, whether the parts come in one batch or after a restart."""
    sort(desk, "order 1 is lost", "order 2 is lost")
    tell(desk, 11 * SECOND)
    desk.versions = after(FINER)

    if together:
        sort(desk, "order 1 is lost", "order 2 is lost", "order 3 is lost", later=MINUTE)
    else:
        for number in (1, 2, 3):
            sort(desk, f"order {number} is lost", later=MINUTE)

    groups = sorted(desk.ledger.groups(), key=lambda group: group.title)
    assert groups[0].id == 1
    assert [(group.title, group.mails, group.phase) for group in groups] == [
        ("second: order 1 is lost", 3, Phase.OPEN),
        ("second: order 2 is lost", 1, Phase.OPEN),
        ("second: order 3 is lost", 1, Phase.OPEN),
    ]
    assert tell(desk, 5 * MINUTE) == []
    assert sorted(tell(desk, 6 * MINUTE)) == [("ongoing", f"second: order {number} is lost", 1) for number in (1, 2, 3)]
    assert desk.ledger.books(NOW).balanced


def test_a_part_of_a_muted_error_is_muted(desk):
    sort(desk, "order 1 is lost")
    desk.mute(NOW + HOUR)
    desk.versions = after(FINER)

    sort(desk, "order 1 is lost", "order 2 is lost", later=MINUTE)

    assert desk.books() == {"received": 3, "pending": 1, "muted": 2}


def test_what_no_version_knew_is_new(desk):
    sort(desk, "order 1 is lost")
    tell(desk, 11 * SECOND)
    desk.versions = after(SAME)

    sort(desk, "the printer burns", later=6 * MINUTE)

    assert tell(desk, 6 * MINUTE + 10 * SECOND) == [("new", "second: the printer burns", 1)]


def test_former_fingerprints_are_made_only_of_errors_without_a_group(desk):
    made = []

    def former(report: Report) -> Fingerprint:
        made.append(report.message)
        return fingerprint(report)

    sort(desk, "order 1 is lost")
    desk.versions = Versions(current=SAME, number=2, former={1: former})
    sort(desk, "order 2 is lost", "the printer burns")
    assert sorted(made) == ["order 2 is lost", "the printer burns"]
    sort(desk, "order 3 is lost", "the printer burns", "order 4 is lost")

    assert len(made) == 2


def unasked(report: Report) -> Fingerprint:
    raise AssertionError(f"asked for {report.message!r}")


def test_in_a_ledger_without_an_older_version_nothing_is_asked(desk, monkeypatch):
    desk.versions = Versions(current=SAME, number=2, former={1: unasked})
    monkeypatch.setattr(desk.ledger, "versions_of", pytest.fail)

    sort(desk, "order 1 is lost", "order 2 is lost")

    assert desk.ledger.groups()[0].mails == 2


def test_today_there_is_no_older_version_to_ask_for(desk, monkeypatch):
    monkeypatch.setattr(desk.ledger, "versions", pytest.fail)

    sort(desk, "order 1 is lost")

    assert desk.ledger.groups()[0].version == 1


def test_an_error_that_a_rule_joins_keeps_its_group(tmp_path, desk):
    rules = [{"name": "Printer", "action": "join", "message": "*printer*"}]
    office = Desk(tmp_path, desk.ledger, rule=rules)
    sort(office, "the printer burns")
    office.versions = after(FINER)

    sort(office, "the printer is wet", later=MINUTE)

    [group] = office.ledger.groups()
    assert (group.title, group.mails, group.version) == ("Printer", 2, 2)


def test_a_former_version_that_fails_makes_a_new_error_and_parks_nothing(desk):
    def broken(report: Report) -> Fingerprint:
        raise ZeroDivisionError(report.message)

    sort(desk, "order 1 is lost")
    desk.versions = Versions(current=SAME, number=2, former={1: broken})

    sort(desk, "order 2 is lost")

    assert [group.mails for group in desk.ledger.groups()] == [1, 1]
    assert desk.books() == {"received": 2, "pending": 2}


def killed(*_) -> None:
    raise KeyboardInterrupt


def test_a_worker_that_dies_after_carrying_over_loses_nothing(desk, monkeypatch):
    sort(desk, "order 1 is lost")
    desk.versions = after(SAME)
    desk.spool([mail("order 2 is lost")])
    with monkeypatch.context() as patch:
        patch.setattr("relay.ingest.step.arrive", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.worker().step(NOW)

    desk.sort_all()

    [group] = desk.ledger.groups()
    assert (group.id, group.mails, group.version) == (1, 2, 2)
    assert desk.books() == {"received": 2, "pending": 2}


def test_an_error_that_had_ended_is_told_as_again(desk):
    sort(desk, "order 1 is lost")
    number = desk.ledger.groups()[0].id

    def ended(group):
        after_telling = mark_reported(group, Reason.NEW, desk.settings.timing, NOW + MINUTE)
        return replace(after_telling, phase=Phase.ENDED, due_at=None)

    desk.ledger.revise(number, ended)
    desk.versions = after(FINER)

    sort(desk, "order 1 is lost", "order 2 is lost", later=HOUR)

    assert sorted(tell(desk, HOUR + 10 * MINUTE)) == [
        ("again", "second: order 1 is lost", 1),
        ("again", "second: order 2 is lost", 1),
    ]
