"""Deliver a message: one worker claims it, each recipient is settled, and its end is booked."""

from dataclasses import replace

import pytest

from relay.errors import LeaseLost
from relay.ledger import Ledger, Outcome
from relay.model import Delivery, Failure, MessageState, RecipientReply, UpstreamKey, UpstreamState, Verdict
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
    enqueue_pending,
    figures,
    ingest,
    send,
    states,
)

LATER = Outcome(next_try_at=NOON + HOUR, tries=1, refusals=0, ambiguous=False)


@pytest.fixture
def outbox_id(ledger: Ledger) -> str:
    ingest(ledger, {"a": 3})
    return enqueue_pending(ledger, [ADA, BOB])


# --- Claims -----------------------------------------------------------------------------------------------------------


def test_empty_outbox_has_nothing_to_claim(ledger: Ledger):
    assert ledger.claim_message("worker", NOON, TTL) is None
    assert ledger.next_try_at() is None


def test_claim_returns_the_message_as_it_was_enqueued(ledger: Ledger, outbox_id: str):
    message = ledger.claim_message("worker", NOON, TTL)

    assert message is not None
    assert (message.id, message.route, message.created_at) == (outbox_id, "admins", NOON)
    assert (message.message_id, message.raw) == (f"<{outbox_id}@relay>", b"Subject: x\r\n\r\n")
    assert (message.recipients, message.tries, message.refusals, message.ambiguous) == ((ADA, BOB), 0, 0, False)


def test_claimed_message_is_not_claimed_again_until_the_claim_expires(ledger: Ledger, outbox_id: str):
    first = ledger.claim_message("one", NOON, TTL)
    assert ledger.next_try_at() == NOON + TTL
    assert ledger.claim_message("two", NOON + TTL - SECOND, TTL) is None
    second = ledger.claim_message("two", NOON + TTL, TTL)

    assert first is not None
    assert second is not None
    assert first.claim != second.claim
    with pytest.raises(LeaseLost):
        ledger.mark_ambiguous(first)
    with pytest.raises(LeaseLost):
        ledger.settle(first, replace(LATER, sent=frozenset({ADA, BOB})), NOON + TTL)
    assert states(ledger, outbox_id) == (MessageState.OPEN, {ADA: Delivery.QUEUED, BOB: Delivery.QUEUED})
    ledger.mark_ambiguous(second)


def test_oldest_message_is_claimed_first(ledger: Ledger):
    ids = [enqueue_pending(ledger, [f"{hours}@example.com"], at=NOON - hours * HOUR) for hours in (1, 3, 2)]
    claimed = [ledger.claim_message("worker", NOON, TTL) for _ in ids]

    assert [each and each.id for each in claimed] == [ids[1], ids[2], ids[0]]


def test_message_is_not_claimed_before_its_next_try(ledger: Ledger):
    enqueue_pending(ledger, at=NOON)

    assert ledger.claim_message("worker", NOON - SECOND, TTL) is None
    assert ledger.next_try_at() == NOON


def test_clock_that_was_set_back_delays_no_message(ledger: Ledger, outbox_id: str):
    """The clock was a year ahead when the message was claimed and postponed."""
    ahead = NOON + 365 * DAY
    message = ledger.claim_message("one", ahead, TTL)
    assert message is not None
    again = ledger.claim_message("two", NOON, TTL)
    assert again is not None
    ledger.settle(again, replace(LATER, next_try_at=ahead + HOUR), NOON)

    assert ledger.claim_message("two", NOON + MINUTE, TTL) is not None


def test_messages_that_wait_for_too_long_are_retried_now(ledger: Ledger):
    near, far = (enqueue_pending(ledger, [f"{name}@example.com"]) for name in ("near", "far"))
    for _ in range(2):
        message = ledger.claim_message("worker", NOON, TTL)
        assert message is not None
        ledger.settle(message, replace(LATER, next_try_at=NOON + (HOUR if message.id == near else DAY)), NOON)
    ledger.retry_now(NOON, beyond=NOON + 2 * HOUR)

    hastened = ledger.claim_message("worker", NOON, TTL)
    assert hastened is not None
    assert hastened.id == far
    assert ledger.claim_message("worker", NOON, TTL) is None


def test_clock_that_runs_ahead_for_hours_breaks_no_claim(ledger: Ledger, outbox_id: str):
    ledger.claim_message("one", NOON + 23 * HOUR, TTL)

    assert ledger.claim_message("two", NOON, TTL) is None


def test_settled_claim_is_gone(ledger: Ledger, outbox_id: str):
    message, _ = send(ledger, SENT)

    with pytest.raises(LeaseLost):
        ledger.settle(message, replace(LATER, sent=frozenset({ADA, BOB})), NOON)
    with pytest.raises(LeaseLost):
        ledger.mark_ambiguous(message)
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_worker_that_restarts_finds_its_messages_unclaimed(ledger: Ledger, outbox_id: str):
    """Its claim outlived it: nobody has to wait for it to run out."""
    claimed = ledger.claim_message("one", NOON, TTL)
    assert claimed is not None
    ledger.mark_ambiguous(claimed)
    ledger.forget_worker("two")
    assert ledger.claim_message("one", NOON, TTL) is None
    ledger.forget_worker("one")
    again = ledger.claim_message("one", NOON, TTL)

    assert again is not None
    assert (again.id, again.ambiguous) == (outbox_id, True)


def test_mark_is_there_for_the_next_claim(ledger: Ledger, outbox_id: str):
    first = ledger.claim_message("one", NOON, TTL)
    assert first is not None
    ledger.mark_ambiguous(first)
    second = ledger.claim_message("two", NOON + TTL, TTL)

    assert second is not None
    assert second.ambiguous


# --- Outcomes ---------------------------------------------------------------------------------------------------------


def test_message_accepted_for_all_recipients_is_reported(ledger: Ledger, outbox_id: str):
    _, state = send(ledger, SENT)

    assert state is MessageState.SENT
    assert figures(ledger) == {"received": 3, "reported": 3}
    message = ledger.message(outbox_id)
    assert message is not None
    assert (message.ended_at, message.next_try_at, message.claimed_by, message.claimed_until) == (NOON, None, "", None)


def test_message_refused_by_all_is_dead_and_undelivered(ledger: Ledger, outbox_id: str):
    _, state = send(ledger, REFUSED)

    assert state is MessageState.DEAD
    assert figures(ledger) == {"received": 3, "undelivered": 3}
    assert ledger.claim_message("worker", NOON + DAY, TTL) is None


def test_message_accepted_for_one_recipient_is_reported_once_the_other_is_settled(ledger: Ledger, outbox_id: str):
    _, state = send(ledger, {ADA: Delivery.SENT})
    assert state is MessageState.OPEN
    assert figures(ledger) == {"received": 3, "pending": 3}

    message, state = send(ledger, REFUSED, at=NOON + MINUTE)

    assert message.recipients == (BOB,), "who was served is not served again"
    assert state is MessageState.SENT
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_outcome_is_there_for_the_next_claim(ledger: Ledger, outbox_id: str):
    message = ledger.claim_message("worker", NOON, TTL)
    assert message is not None
    outcome = Outcome(next_try_at=NOON + HOUR, tries=4, refusals=2, ambiguous=True)
    assert ledger.settle(message, outcome, NOON) is MessageState.OPEN

    assert ledger.claim_message("worker", NOON + HOUR - SECOND, TTL) is None
    again = ledger.claim_message("worker", NOON + HOUR, TTL)
    assert again is not None
    assert (again.tries, again.refusals, again.ambiguous, again.recipients) == (4, 2, True, (ADA, BOB))


def test_upstreams_words_are_kept_per_recipient(ledger: Ledger, outbox_id: str):
    message = ledger.claim_message("worker", NOON, TTL)
    assert message is not None
    replies = {
        ADA: RecipientReply(verdict=Verdict.PERMANENT, code=550, text="no such \0user"),
        BOB: RecipientReply(verdict=Verdict.TEMPORARY, code=451, text="greylisted"),
    }
    ledger.settle(message, replace(LATER, refused=frozenset({ADA}), replies=replies), NOON + SECOND)

    stored = ledger.message(outbox_id)
    assert stored is not None
    assert [(each.state, each.code, each.text, each.at) for each in stored.deliveries] == [
        (Delivery.REFUSED, 550, "no such �user", NOON + SECOND),
        (Delivery.QUEUED, 451, "greylisted", NOON),
    ]


def test_who_waits_because_of_the_upstreams_word_is_known_by_it(ledger: Ledger, outbox_id: str):
    """One who was not tried yet is not one of them, nor one who has it."""
    assert ledger.delayed() == []
    word = RecipientReply(verdict=Verdict.TEMPORARY, code=450, text="4.2.1 over quota", step="RCPT")
    message = ledger.claim_message("worker", NOON, TTL)
    assert message is not None
    ledger.settle(message, replace(LATER, sent=frozenset({ADA}), replies={BOB: word}), NOON)

    [found] = ledger.delayed()
    assert (found.recipient, found.since, found.next_try_at) == (BOB, NOON, NOON + HOUR)
    assert (found.code, found.text) == (450, "4.2.1 over quota")

    send(ledger, {BOB: Delivery.SENT}, at=NOON + HOUR)
    assert ledger.delayed() == []


@pytest.mark.parametrize(
    "outcome",
    [
        replace(LATER, next_try_at=None),
        replace(LATER, next_try_at=None, sent=frozenset({ADA})),
        replace(LATER, sent=frozenset({"eve@example.com"})),
        replace(LATER, sent=frozenset({ADA}), refused=frozenset({ADA})),
        replace(LATER, replies={"eve@example.com": RecipientReply(verdict=Verdict.TEMPORARY, code=0, text="")}),
    ],
)
def test_outcome_that_contradicts_the_message_is_refused(ledger: Ledger, outbox_id: str, outcome: Outcome):
    message = ledger.claim_message("worker", NOON, TTL)
    assert message is not None
    with pytest.raises(ValueError, match="queued"):
        ledger.settle(message, outcome, NOON)

    ledger.settle(message, LATER, NOON)


# --- Catch-up digests -------------------------------------------------------------------------------------------------


@pytest.fixture
def followed(ledger: Ledger) -> tuple[str, str, str]:
    """Ada accepted two digests that were deferred for Bob. One catch-up digest for both is queued: all three ids."""
    ingest(ledger, {"a": 3})
    first = enqueue_pending(ledger, [ADA], [BOB], at=NOON)
    send(ledger, SENT)
    ingest(ledger, {"a": 4})
    second = enqueue_pending(ledger, [ADA], [BOB], at=NOON + MINUTE)
    send(ledger, SENT, at=NOON + MINUTE)
    return first, second, catch_up(ledger, BOB, at=NOON + HOUR)


def test_digests_end_with_their_follow_up(ledger: Ledger, followed: tuple[str, str, str]):
    assert figures(ledger) == {"received": 7, "pending": 7}
    message, state = send(ledger, SENT, at=NOON + HOUR)

    assert (message.id, message.recipients, state) == (followed[2], (BOB,), MessageState.SENT)
    assert [states(ledger, each)[0] for each in followed] == [MessageState.SENT] * 3
    assert figures(ledger) == {"received": 7, "reported": 7}


def test_digests_taken_by_one_are_reported_though_their_follow_up_dies(ledger: Ledger, followed: tuple[str, str, str]):
    send(ledger, REFUSED, at=NOON + HOUR)

    assert [states(ledger, each)[0] for each in followed] == [MessageState.SENT, MessageState.SENT, MessageState.DEAD]
    assert figures(ledger) == {"received": 7, "reported": 7}


@pytest.mark.parametrize(
    ("for_ada", "for_bob", "ends"),
    [
        (REFUSED, SENT, {"reported": 3}),
        (REFUSED, REFUSED, {"undelivered": 3}),
        (SENT, REFUSED, {"reported": 3}),
    ],
)
@pytest.mark.parametrize("follow_up_first", [False, True])
def test_digest_ends_when_its_last_recipient_is_settled(ledger: Ledger, for_ada, for_bob, ends, follow_up_first):
    ingest(ledger, {"a": 3})
    enqueue_pending(ledger, [ADA], [BOB])
    if follow_up_first:
        message = ledger.claim_message("worker", NOON, TTL)
        assert message is not None
        catch_up(ledger, BOB)
        send(ledger, for_bob)
        assert figures(ledger) == {"received": 3, "pending": 3}
        sent = frozenset({ADA}) if for_ada is SENT else frozenset()
        ledger.settle(message, replace(LATER, sent=sent, refused=frozenset({ADA}) - sent), NOON)
    else:
        send(ledger, for_ada)
        catch_up(ledger, BOB)
        assert figures(ledger) == {"received": 3, "pending": 3}
        send(ledger, for_bob)

    assert figures(ledger) == {"received": 3} | ends


def test_follow_up_for_two_settles_each_alone(ledger: Ledger):
    """It is sent to both at once; what it covers is settled per recipient."""
    from relay.model import MessageKind
    from tests.support.ledger_world import digest, lease_token, rendered

    ingest(ledger, {"a": 3})
    covered = enqueue_pending(ledger, ["eve@example.com"], [ADA, BOB])
    send(ledger, {"eve@example.com": Delivery.REFUSED})
    message = digest(recipients=[ADA, BOB], kind=MessageKind.CATCH_UP)
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        tx.enqueue(message, rendered(message), queued=[ADA, BOB], covers=[covered])

    send(ledger, {ADA: Delivery.REFUSED})
    assert figures(ledger) == {"received": 3, "pending": 3}
    send(ledger, {BOB: Delivery.SENT}, at=NOON + MINUTE)
    assert figures(ledger) == {"received": 3, "reported": 3}


# --- The upstream -----------------------------------------------------------------------------------------------------


HERE = UpstreamKey(worker="one", target="mail.acme.test:587 as relay")


def test_upstreams_state_is_kept(ledger: Ledger):
    assert ledger.upstream(HERE) == UpstreamState()
    state = UpstreamState(
        failures=3,
        failing_since=NOON,
        next_try_at=NOON + HOUR,
        failure=Failure.AUTH,
        detail="535 no",
        last_success_at=NOON - DAY,
        last_try_at=NOON + SECOND,
        checked_at=NOON,
        outage_since=NOON - 2 * DAY,
        outage_until=NOON - DAY,
    )
    ledger.save_upstream(HERE, state)
    assert ledger.upstream(HERE) == state
    ledger.save_upstream(HERE, UpstreamState())
    assert ledger.upstream(HERE) == UpstreamState()


@pytest.mark.parametrize("other", [{"worker": "two"}, {"target": "mail.acme.test:465 as relay"}, {"target": ""}])
def test_state_of_an_upstream_belongs_to_the_worker_and_the_target(ledger: Ledger, other: dict[str, str]):
    state = UpstreamState(failures=1, failure=Failure.AUTH, detail="535 no")
    ledger.save_upstream(HERE, state)

    assert ledger.upstream(replace(HERE, **other)) == UpstreamState()
    ledger.save_upstream(replace(HERE, **other), UpstreamState(failures=7))
    assert ledger.upstream(HERE) == state
