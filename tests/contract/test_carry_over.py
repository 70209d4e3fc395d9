"""A new version of the fingerprint: known groups go on under new keys."""

from collections.abc import Iterable
from dataclasses import fields

import pytest

from relay.errors import LedgerError
from relay.ledger import GroupClaim, Ledger
from relay.model import Fingerprint, GroupKey
from tests.support.ledger_world import DAY, HOUR, NOON, SENT, enqueue_pending, figures, ingest, key, send
from tests.support.ledger_world import reported as after_a_digest


def claim(name: str, former: Iterable[str] = (), *, version: int = 2, route: str = "admins") -> GroupClaim:
    fingerprint = Fingerprint(version=version, key=name, title=f"{name} anew")
    return GroupClaim(fingerprint=fingerprint, former=tuple(key(each, route) for each in former))


def carry(ledger: Ledger, new: str, *former: str) -> dict[GroupKey, str]:
    """Claim one group; the former keys of what is returned instead."""
    return {each: group.fingerprint for each, group in ledger.carry_over({key(new): claim(new, former)}).items()}


def shape(ledger: Ledger) -> dict[int, tuple[str, int]]:
    return {group.id: (group.fingerprint, group.mails) for group in ledger.groups()}


def test_group_goes_on_under_its_new_key(ledger: Ledger):
    ingest(ledger, {"a": 3})
    before = ledger.groups()[0]

    assert carry(ledger, "a2", "a") == {}

    ingest(ledger, {"a2": 2}, at=NOON + HOUR)
    [group] = ledger.groups()
    assert (group.id, group.fingerprint, group.version, group.title) == (before.id, "a2", 2, "a2 anew")
    assert (group.mails, group.pending_mails, group.first_seen) == (5, 5, NOON)
    assert [sample.at for sample in ledger.samples_of(group.id)] == [NOON + HOUR, NOON]
    assert figures(ledger) == {"received": 5, "pending": 5}


def test_everything_but_key_version_and_title_stays(ledger: Ledger):
    ingest(ledger, {"a": 3})
    number = ledger.groups()[0].id
    before = ledger.revise(number, after_a_digest)
    carry(ledger, "a2", "a")

    after = ledger.group(number)
    assert after
    changed = {field.name for field in fields(after) if getattr(after, field.name) != getattr(before, field.name)}
    assert changed == {"fingerprint", "version", "title"}


def test_messages_and_their_thread_stay_with_the_group(ledger: Ledger):
    ingest(ledger, {"a": 3})
    message = enqueue_pending(ledger)
    carry(ledger, "a2", "a")
    send(ledger, SENT)
    ingest(ledger, {"a2": 1})

    number = ledger.groups()[0].id
    assert [entry.group_id for entry in ledger.entries_of(message)] == [number]
    with ledger.digesting("schedule", ledger.lease("schedule", "worker", NOON, HOUR) or 0) as tx:
        assert tx.first_message_id(number) == f"<{message}@relay>"
    assert figures(ledger) == {"received": 4, "reported": 3, "pending": 1}


def test_doing_it_twice_changes_nothing(ledger: Ledger):
    """The worker may die between this and the batch."""
    ingest(ledger, {"a": 3, "b": 1})
    carry(ledger, "a2", "a")
    once = ledger.groups()

    assert carry(ledger, "a2", "a") == {}
    assert ledger.groups() == once


def test_key_that_nothing_was_known_under_stays_free(ledger: Ledger):
    ingest(ledger, {"a": 3})

    assert carry(ledger, "b2", "b") == {}
    assert list(shape(ledger).values()) == [("a", 3)]


def test_of_two_groups_that_are_one_now_the_older_is_carried_over(ledger: Ledger):
    ingest(ledger, {"older": 1})
    ingest(ledger, {"younger": 2}, at=NOON + DAY)

    carry(ledger, "both", "younger", "older")

    assert sorted(shape(ledger).items()) == [(1, ("both", 1)), (2, ("younger", 2))]
    assert figures(ledger) == {"received": 3, "pending": 3}


def test_group_that_is_two_errors_now_goes_to_the_first_and_is_the_others_parent(ledger: Ledger):
    ingest(ledger, {"a": 3})
    claims = {key("first"): claim("first", ["a"]), key("second"): claim("second", ["a"])}

    parents = ledger.carry_over(claims)

    assert {each: group.id for each, group in parents.items()} == {key("second"): 1}
    assert shape(ledger) == {1: ("first", 3)}
    assert carry(ledger, "third", "a") == {key("third"): "first"}, "after a restart too"


def test_group_of_the_same_key_and_another_route_is_not_touched(ledger: Ledger):
    ingest(ledger, {"a": 3}, route="ops")

    ledger.carry_over({key("a2"): claim("a2", ["a"])})

    assert list(shape(ledger).values()) == [("a", 3)]


def test_group_under_a_key_that_did_not_change_is_marked_with_the_version(ledger: Ledger):
    """A rule's key is the same in each version; else the ledger would seem to hold something of the old one forever."""
    ingest(ledger, {"joined": 3})
    ledger.carry_over({key("joined"): claim("joined")})

    assert ledger.versions() == {2}
    assert ledger.versions_of([key("joined"), key("other")]) == {key("joined"): 2}
    assert ledger.groups()[0].title == "joined in checkout"


def test_versions_are_those_under_which_a_group_is_or_was_known(ledger: Ledger):
    assert ledger.versions() == set()
    ingest(ledger, {"a": 1})
    assert ledger.versions() == {1}
    carry(ledger, "a2", "a")
    assert ledger.versions() == {1, 2}


def test_former_key_goes_with_its_group(ledger: Ledger):
    ingest(ledger, {"a": 1})
    carry(ledger, "a2", "a")
    enqueue_pending(ledger)
    send(ledger, SENT)
    while ledger.purge(NOON + 91 * DAY, samples_for=DAY, counts_for=90 * DAY):
        pass

    assert ledger.groups() == []
    assert ledger.versions() == set()


def test_key_over_two_versions(ledger: Ledger):
    """A part that never came under the second version is recognised by what its group was called in the first."""
    ingest(ledger, {"a": 1})
    carry(ledger, "a2", "a")
    ledger.carry_over({key("a3"): claim("a3", ["a2"], version=3)})

    assert ledger.versions() == {1, 2, 3}
    assert carry(ledger, "b3", "b2", "a") == {key("b3"): "a3"}


def test_many_at_once(ledger: Ledger):
    """More keys than go into one question."""
    names = [f"error {number}" for number in range(1_100)]
    ingest(ledger, dict.fromkeys(names, 1))
    claims = {key(f"{name} anew"): claim(f"{name} anew", [name]) for name in names}

    assert set(ledger.versions_of([key(name) for name in names]).values()) == {1}
    assert ledger.carry_over(claims) == {}
    assert set(ledger.versions_of(list(claims)).values()) == {2}


def test_failure_in_the_middle_carries_nothing_over(ledger: Ledger):
    ingest(ledger, {"a": 1, "b": 1})
    too_large = claim("b2", ["b"], version=2**70)
    before = ledger.groups()

    with pytest.raises((LedgerError, OverflowError)):
        ledger.carry_over({key("a2"): claim("a2", ["a"]), key("b2"): too_large})

    assert ledger.groups() == before
