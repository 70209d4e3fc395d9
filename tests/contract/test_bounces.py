"""Bounces of digests: stored in the delivery of the message, shown for a week, and without effect on the books."""

from __future__ import annotations

import pytest

from relay.ledger import Ledger
from tests.support.ledger_world import ADA, BOB, DAY, HOUR, NOON, SENT, SPOOL, enqueue_pending, figures, ingest, send


@pytest.fixture
def outbox_id(ledger: Ledger) -> str:
    """Return the id of a message that both recipients got."""
    ingest(ledger, {"a": 3})
    outbox_id = enqueue_pending(ledger, [ADA, BOB])
    send(ledger, SENT)
    return outbox_id


def bounce(ledger: Ledger, recipient: str, message: str = "", *, hours: int = 1) -> bool:
    with ledger.ingesting(SPOOL, ledger.cursor(SPOOL)) as tx:
        return tx.bounced(recipient, "5.1.1 User unknown", message, NOON + hours * HOUR)


def test_bounce_names_its_recipient_and_leaves_the_books_as_they_are(ledger: Ledger, outbox_id: str):
    before = figures(ledger)

    assert bounce(ledger, ADA, outbox_id)
    [found] = ledger.bouncing(NOON + HOUR)

    assert (found.recipient, found.text, found.since) == (ADA, "5.1.1 User unknown", NOON + HOUR)
    assert figures(ledger) == before


def test_bounce_without_a_message_belongs_to_the_newest_one(ledger: Ledger, outbox_id: str):
    assert bounce(ledger, BOB)
    assert [each.recipient for each in ledger.bouncing(NOON + HOUR)] == [BOB]


def test_second_report_about_the_same_delivery_is_no_second_bounce(ledger: Ledger, outbox_id: str):
    assert bounce(ledger, ADA, outbox_id)
    assert not bounce(ledger, ADA, outbox_id, hours=9)
    assert [each.last_at for each in ledger.bouncing(NOON + DAY)] == [NOON + HOUR]


def test_bounce_of_an_unknown_message_or_recipient_is_ignored(ledger: Ledger, outbox_id: str):
    assert not bounce(ledger, ADA, "f" * 32)
    assert not bounce(ledger, "nobody@example.com")
    assert ledger.bouncing(NOON + HOUR) == []


def test_recipient_is_forgotten_a_week_after_the_last_bounce(ledger: Ledger, outbox_id: str):
    bounce(ledger, ADA, outbox_id)

    assert ledger.bouncing(NOON + 7 * DAY)
    assert ledger.bouncing(NOON + 8 * DAY) == []
