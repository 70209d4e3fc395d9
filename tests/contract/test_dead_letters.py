"""Dead letters: an administrator lists, retries and drops them."""

from datetime import datetime

import pytest

from relay.ledger import Ledger, Outcome
from relay.model import Delivery, Failure, MessageKind, MessageState, UpstreamKey, UpstreamState
from tests.support.ledger_world import (
    ADA,
    BOB,
    DAY,
    HOUR,
    MINUTE,
    NOON,
    REFUSED,
    SECOND,
    SENT,
    TTL,
    catch_up,
    digest,
    enqueue_pending,
    figures,
    ingest,
    lease_token,
    rendered,
    send,
    states,
)

UPSTREAM = UpstreamKey(worker="one", target="mail.acme.test:587")

LATE = NOON + 6 * DAY


def failing(ledger: Ledger, next_try_at: datetime) -> None:
    """Let the upstream pause until `next_try_at`."""
    ledger.save_upstream(
        UPSTREAM, UpstreamState(failures=9, failing_since=NOON, failure=Failure.AUTH, next_try_at=next_try_at)
    )


def wait_until(ledger: Ledger, at: datetime) -> str:
    """Try the oldest message without success; it waits until `at`."""
    message = ledger.claim_message("worker", NOON, TTL)
    assert message
    ledger.settle(message, Outcome(next_try_at=at, tries=1, refusals=0, ambiguous=False), NOON)
    return message.id


def test_waiting_message_is_tried_now_and_the_pause_of_the_upstream_ends(ledger: Ledger):
    ingest(ledger, {"a": 3})
    waiting = enqueue_pending(ledger, [ADA])
    wait_until(ledger, NOON + HOUR)
    failing(ledger, NOON + HOUR)

    assert ledger.try_now(NOON + MINUTE, waiting) == 1
    assert ledger.next_try_at() == NOON + MINUTE
    state = ledger.upstream(UPSTREAM)
    assert (state.next_try_at, state.failure, state.failures) == (None, Failure.AUTH, 9), "it has not worked yet"
    message, _ = send(ledger, SENT, at=NOON + MINUTE)
    assert (message.id, message.tries) == (waiting, 1), "its earlier tries still count"


def test_every_waiting_message_is_tried_now(ledger: Ledger):
    ids = set()
    for name, recipient in (("a", ADA), ("b", BOB)):
        ingest(ledger, {name: 1})
        ids.add(enqueue_pending(ledger, [recipient]))
    for _ in ids:
        wait_until(ledger, NOON + HOUR)

    assert ledger.try_now(NOON + MINUTE) == 2
    assert {send(ledger, SENT, at=NOON + MINUTE)[0].id for _ in ids} == ids


def test_message_that_is_being_delivered_keeps_its_claim(ledger: Ledger):
    ingest(ledger, {"a": 1})
    enqueue_pending(ledger, [ADA])
    claimed = ledger.claim_message("worker", NOON, TTL)
    assert claimed

    assert ledger.try_now(NOON + SECOND) == 1
    assert ledger.claim_message("other", NOON + SECOND, TTL) is None
    ledger.settle(claimed, Outcome(sent=frozenset([ADA]), tries=0, refusals=0, ambiguous=False), NOON + SECOND)


def test_nothing_is_tried_now_where_no_message_waits(ledger: Ledger, dead: str):
    failing(ledger, NOON + HOUR)

    assert ledger.try_now(NOON) == 0
    assert ledger.try_now(NOON, dead) == 0
    assert ledger.upstream(UPSTREAM).next_try_at == NOON + HOUR


def test_revived_dead_letter_does_not_wait_for_the_pause_of_the_upstream(ledger: Ledger, dead: str):
    failing(ledger, LATE + HOUR)

    assert ledger.retry(dead, LATE)
    assert ledger.upstream(UPSTREAM).next_try_at is None


@pytest.fixture
def dead(ledger: Ledger) -> str:
    """A digest of three mails that Ada and Bob refused."""
    ingest(ledger, {"a": 3})
    outbox_id = enqueue_pending(ledger, [ADA, BOB])
    send(ledger, REFUSED)
    return outbox_id


def test_retried_message_is_pending_and_is_sent_again(ledger: Ledger, dead: str):
    assert ledger.retry(dead, LATE)

    assert figures(ledger) == {"received": 3, "pending": 3}
    message, state = send(ledger, SENT, at=LATE)
    assert (message.id, message.recipients, message.tries, message.refusals) == (dead, (ADA, BOB), 0, 0)
    assert message.message_id == f"<{dead}@relay>", "the same mail on every try"
    assert message.created_at == LATE, "its time to give up starts anew"
    assert state is MessageState.SENT
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_retried_message_can_become_dead_again(ledger: Ledger, dead: str):
    ledger.retry(dead, LATE)
    send(ledger, REFUSED, at=LATE)

    assert figures(ledger) == {"received": 3, "undelivered": 3}
    assert ledger.retry(dead, LATE)


def test_busy_recipient_of_a_retried_message_is_deferred_to_a_catch_up_digest(ledger: Ledger, dead: str):
    """At most one message is queued per route and recipient; the deferred one loses nothing."""
    ingest(ledger, {"a": 2})
    enqueue_pending(ledger, [ADA], at=LATE)
    assert ledger.retry(dead, LATE)

    assert states(ledger, dead) == (MessageState.OPEN, {ADA: Delivery.DEFERRED, BOB: Delivery.QUEUED})
    assert figures(ledger) == {"received": 5, "pending": 5}
    for _ in range(2):
        send(ledger, SENT, at=LATE)
    catch_up(ledger, ADA, at=LATE)
    send(ledger, SENT, at=LATE)
    assert figures(ledger) == {"received": 5, "reported": 5}


def test_retried_message_whose_recipients_are_all_busy_waits_for_catch_up_digests(ledger: Ledger, dead: str):
    enqueue_pending(ledger, [ADA, BOB], at=LATE)
    assert ledger.retry(dead, LATE)

    assert states(ledger, dead)[1] == {ADA: Delivery.DEFERRED, BOB: Delivery.DEFERRED}
    send(ledger, SENT, at=LATE)
    assert ledger.claim_message("worker", LATE + DAY, TTL) is None
    assert figures(ledger) == {"received": 3, "pending": 3}


def test_dropped_message_stays_undelivered(ledger: Ledger, dead: str):
    assert ledger.drop(dead, LATE)

    assert states(ledger, dead)[0] is MessageState.DROPPED
    assert figures(ledger) == {"received": 3, "undelivered": 3}
    assert not ledger.drop(dead, LATE)
    assert not ledger.retry(dead, LATE)


def test_only_dead_letters_are_retried_or_dropped(ledger: Ledger):
    opened = enqueue_pending(ledger, [ADA])
    sent = enqueue_pending(ledger, [BOB], at=NOON - MINUTE)
    send(ledger, SENT)

    for outbox_id in (opened, sent, "unknown"):
        assert not ledger.retry(outbox_id, NOON)
        assert not ledger.drop(outbox_id, NOON)
    assert [states(ledger, outbox_id)[0] for outbox_id in (opened, sent)] == [MessageState.OPEN, MessageState.SENT]


def test_digests_that_died_with_their_follow_up_are_revived_with_it(ledger: Ledger):
    ingest(ledger, {"a": 3})
    covered = enqueue_pending(ledger, [ADA], [BOB])
    send(ledger, REFUSED)
    follower = catch_up(ledger, BOB)
    send(ledger, REFUSED)
    assert [states(ledger, each)[0] for each in (covered, follower)] == [MessageState.DEAD, MessageState.DEAD]
    assert figures(ledger) == {"received": 3, "undelivered": 3}

    assert ledger.retry(follower, LATE)
    assert figures(ledger) == {"received": 3, "pending": 3}
    send(ledger, SENT, at=LATE)
    assert [states(ledger, each)[0] for each in (covered, follower)] == [MessageState.SENT, MessageState.SENT]
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_digest_that_died_with_its_follow_up_can_be_revived_by_itself(ledger: Ledger):
    ingest(ledger, {"a": 3})
    covered = enqueue_pending(ledger, [ADA], [BOB])
    send(ledger, REFUSED)
    follower = catch_up(ledger, BOB)
    send(ledger, REFUSED)

    assert ledger.retry(covered, LATE)
    assert states(ledger, covered)[1] == {ADA: Delivery.QUEUED, BOB: Delivery.QUEUED}
    ledger.retry(follower, LATE)
    assert states(ledger, follower)[1] == {BOB: Delivery.DEFERRED}
    send(ledger, SENT, at=LATE)
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_dropped_digest_stays_dropped_when_its_follow_up_is_revived(ledger: Ledger):
    ingest(ledger, {"a": 3})
    covered = enqueue_pending(ledger, [ADA], [BOB])
    send(ledger, REFUSED)
    follower = catch_up(ledger, BOB)
    send(ledger, REFUSED)
    ledger.drop(covered, NOON)

    ledger.retry(follower, LATE)
    send(ledger, SENT, at=LATE)
    assert states(ledger, covered)[0] is MessageState.DROPPED
    assert figures(ledger) == {"received": 3, "undelivered": 3}


@pytest.mark.parametrize(("last", "ends"), [(SENT, "reported"), (REFUSED, "undelivered")])
def test_follow_up_of_a_follow_up_settles_them_all(ledger: Ledger, last, ends):
    """A revived catch-up digest that had to be deferred is covered by the next one; its digests end with that one."""
    ingest(ledger, {"a": 3})
    covered = enqueue_pending(ledger, [ADA], [BOB])
    send(ledger, REFUSED)
    first = catch_up(ledger, BOB)
    send(ledger, REFUSED)
    busy = enqueue_pending(ledger, [BOB], at=LATE)
    ledger.retry(first, LATE)
    assert states(ledger, first)[1] == {BOB: Delivery.DEFERRED}
    assert send(ledger, SENT, at=LATE)[0].id == busy

    second = catch_up(ledger, BOB, at=LATE + HOUR)
    assert len(ledger.entries_of(second)) == 1
    assert figures(ledger) == {"received": 3, "pending": 3}
    send(ledger, last, at=LATE + HOUR)
    end = MessageState.SENT if last is SENT else MessageState.DEAD
    assert [states(ledger, each)[0] for each in (covered, first, second)] == [end] * 3
    assert figures(ledger) == {"received": 3, ends: 3}

    if last is REFUSED:
        ledger.retry(second, LATE + DAY)
        assert [states(ledger, each)[0] for each in (covered, first, second)] == [MessageState.OPEN] * 3
        send(ledger, SENT, at=LATE + DAY)
        assert figures(ledger) == {"received": 3, "reported": 3}


def test_notice_is_tried_again_for_free_recipients_alone(ledger: Ledger):
    """A notice reports no mails, so that a busy recipient can be left out."""
    notice = digest(kind=MessageKind.NOTICE, recipients=[ADA, BOB])
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        tx.enqueue(notice, rendered(notice), queued=[ADA, BOB])
    send(ledger, REFUSED)
    assert figures(ledger) == {}

    enqueue_pending(ledger, [ADA], at=LATE)
    assert ledger.retry(notice.id, LATE)
    assert states(ledger, notice.id)[1] == {ADA: Delivery.REFUSED, BOB: Delivery.QUEUED}
    send(ledger, REFUSED, at=LATE)
    enqueue_pending(ledger, [BOB], at=LATE)
    assert not ledger.retry(notice.id, LATE)
    assert figures(ledger) == {}


def test_messages_are_listed_newest_first(ledger: Ledger, dead: str):
    newer = enqueue_pending(ledger, [ADA], at=NOON + HOUR)
    elsewhere = enqueue_pending(ledger, [ADA], at=NOON + MINUTE, route="ops")

    assert [each.id for each in ledger.messages()] == [newer, elsewhere, dead]
    assert [each.id for each in ledger.messages(limit=1)] == [newer]
    assert [each.id for each in ledger.messages(state=MessageState.DEAD)] == [dead]
    assert [each.id for each in ledger.messages(state=MessageState.OPEN, route="ops")] == [elsewhere]
    assert [each.recipient for each in ledger.messages()[2].deliveries] == [ADA, BOB]
    assert ledger.message("unknown") is None
    assert ledger.raw("unknown") is None


def test_listing_shows_who_claimed_a_message_and_which_one_reports_it(ledger: Ledger, dead: str):
    teller = enqueue_pending(ledger, [ADA], dead=[dead], at=LATE)
    ledger.claim_message("worker seven", LATE, TTL)

    first, second = ledger.messages()
    assert (first.id, first.claimed_by, first.claimed_until) == (teller, "worker seven", LATE + TTL)
    assert (second.id, second.told_by) == (dead, teller)
