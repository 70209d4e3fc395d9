"""What people see, and what they change."""

from dataclasses import replace
from functools import partial

import pytest

from relay.ledger import Cursor, GroupOrder, Ledger, Tally
from relay.model import Books, Phase
from tests.support.ledger_world import (
    ADA,
    BOB,
    HOUR,
    MINUTE,
    NOON,
    REFUSED,
    ROUTE,
    SECOND,
    SPOOL,
    enqueue_pending,
    ingest,
    send,
)


@pytest.fixture
def three(ledger: Ledger) -> Ledger:
    """Three errors; each is the greatest in another way."""
    ingest(ledger, {"oldest": 2}, at=NOON)
    ingest(ledger, {"most": 9}, at=NOON + HOUR)
    ingest(ledger, {"newest": 1}, at=NOON + 2 * HOUR, route="ops")
    most = next(group for group in ledger.groups() if group.fingerprint == "most")
    ledger.revise(most.id, lambda group: replace(group, pending_mails=0, pending_occurrences=0, phase=Phase.OPEN))
    return ledger


def names(ledger: Ledger, **wanted: object) -> list[str]:
    return [group.fingerprint for group in ledger.groups(**wanted)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (GroupOrder.LAST_SEEN, ["newest", "most", "oldest"]),
        (GroupOrder.FIRST_SEEN, ["newest", "most", "oldest"]),
        (GroupOrder.OCCURRENCES, ["most", "oldest", "newest"]),
        (GroupOrder.PENDING, ["oldest", "newest", "most"]),
    ],
)
def test_groups_are_listed_in_any_order(three: Ledger, order: GroupOrder, expected: list[str]):
    assert names(three, order=order) == expected
    assert names(three, order=order, limit=2) == expected[:2]


def test_groups_are_listed_by_condition(three: Ledger):
    assert names(three, route="ops") == ["newest"]
    assert names(three, app="shop", phase=Phase.OPEN) == ["most"]
    assert names(three, app="other") == []
    assert names(three, text="MOST in") == ["most"]
    assert names(three, text="%") == []
    assert names(three, text="_") == []


def test_unknown_group_is_none(ledger: Ledger):
    assert ledger.group(4711) is None
    assert ledger.samples_of(4711) == []
    assert ledger.timeline(4711, NOON, NOON) is None
    assert ledger.revise(4711, lambda group: group) is None


def test_books_of_an_empty_ledger_balance(ledger: Ledger):
    assert ledger.books(NOON) == Books(
        at=NOON, received=0, reported=0, pending=0, muted=0, ignored=0, parked=0, undelivered=0
    )


def test_tally_counts_what_there_is(three: Ledger):
    enqueue_pending(three, route="ops")
    send(three, REFUSED)
    enqueue_pending(three, [ADA])
    with three.ingesting(SPOOL, three.cursor(SPOOL)) as tx:
        tx.quarantine(99, at=NOON, reason="x")

    assert three.tally() == Tally(groups=3, groups_pending=0, messages_open=1, messages_dead=1, parked=1)


def test_cursors_are_listed_by_spool(ledger: Ledger):
    ingest(ledger, {"a": 3}, spool="f" * 32)
    ingest(ledger, {"a": 2})

    assert ledger.cursors() == [Cursor(spool_id=SPOOL, position=2), Cursor(spool_id="f" * 32, position=3)]


# --- Changing one group -----------------------------------------------------------------------------------------------


def test_revised_group_keeps_its_id_and_its_thread(ledger: Ledger):
    ingest(ledger, {"a": 1})
    outbox_id = enqueue_pending(ledger)
    number = ledger.groups()[0].id
    revised = ledger.revise(number, lambda group: replace(group, id=0, title="another"))

    assert revised == ledger.group(number)
    assert revised is not None
    assert revised.title == "another"
    token = ledger.lease("schedule", "worker", NOON, MINUTE)
    assert token is not None
    with ledger.digesting("schedule", token) as tx:
        assert tx.first_message_id(number) == f"<{outbox_id}@relay>"


def test_failing_change_changes_nothing(ledger: Ledger):
    ingest(ledger, {"a": 1})
    before = ledger.groups()[0]
    with pytest.raises(ZeroDivisionError):
        ledger.revise(before.id, lambda group: replace(group, step=1 // 0))

    assert ledger.groups() == [before]
    assert ledger.revise(before.id, lambda group: replace(group, muted_until=NOON + SECOND))


def test_errors_that_wait_for_a_recipient_are_counted_once(ledger: Ledger):
    """Those that are due on its routes, and those in digests that are deferred for it: `a` is both."""
    ingest(ledger, {"a": 1, "b": 1})
    enqueue_pending(ledger, [BOB], [ADA])
    ingest(ledger, {"a": 1, "c": 1})
    ingest(ledger, {"elsewhere": 1}, route="ops")
    for group in ledger.groups():
        if group.pending_mails:
            ledger.revise(group.id, partial(replace, due_at=NOON + MINUTE))

    assert ledger.errors_waiting(ADA, [ROUTE], NOON) == 2, "not due yet: only what is deferred"
    assert ledger.errors_waiting(ADA, [ROUTE], NOON + MINUTE) == 3
    assert ledger.errors_waiting(ADA, [ROUTE, "ops"], NOON + MINUTE) == 4
    assert ledger.errors_waiting(BOB, [ROUTE], NOON + MINUTE) == 2
    assert ledger.errors_waiting(ADA, [], NOON + MINUTE) == 0
