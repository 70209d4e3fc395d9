"""When a message is tried again, and when the relay gives it up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Failure, MessageKind, OutboxMessage, RetryPolicy, UpstreamState, Verdict
from relay.outbox.retry import (
    expired,
    longest_pause,
    next_try_after,
    state_after_failure,
    state_after_success,
    upstream_ready,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RETRY = RetryPolicy()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MESSAGE = OutboxMessage(
    id="a" * 32,
    kind=MessageKind.DIGEST,
    route="admins",
    created_at=NOON,
    message_id="<a@relay>",
    subject="1 new",
    raw=b"",
    recipients=("ann@example.com",),
    tries=0,
    refusals=0,
    ambiguous=False,
    claim="c",
)


def failed(state: UpstreamState, now: datetime = NOON, *, jitter: float = 0.0, kind: Failure = Failure.UNREACHABLE):
    return state_after_failure(state, kind, "no route", retry=RETRY, jitter=jitter, now=now)


def test_pauses_of_the_upstream_grow_up_to_thirty_minutes():
    state, pauses = UpstreamState(), []
    for _ in range(8):
        state = failed(state)
        pauses.append((state.next_try_at - NOON) / MINUTE)

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 48), (0.0, 60), (1.0, 72), (9.0, 72)])
def test_pauses_vary_by_at_most_a_fifth(jitter, seconds):
    assert failed(UpstreamState(), jitter=jitter).next_try_at == NOON + timedelta(seconds=seconds)


def test_refused_credentials_are_retried_once_an_hour():
    state = failed(failed(UpstreamState(), kind=Failure.AUTH), kind=Failure.AUTH)

    assert state.next_try_at == NOON + HOUR


def test_an_outage_begins_with_its_first_failure():
    state = failed(failed(UpstreamState()), NOON + HOUR, kind=Failure.NO_TLS)

    assert (state.failures, state.failing_since, state.last_try_at) == (2, NOON, NOON + HOUR)
    assert (state.failure, state.detail) == (Failure.NO_TLS, "no route")


def test_success_ends_the_outage_and_stores_it():
    state = state_after_success(failed(UpstreamState()), NOON + HOUR)

    assert (state.failures, state.failing_since, state.next_try_at, state.failure) == (0, None, None, None)
    assert (state.outage_since, state.outage_until, state.last_success_at) == (NOON, NOON + HOUR, NOON + HOUR)
    later = state_after_success(state, NOON + 2 * HOUR)
    assert (later.outage_since, later.outage_until, later.last_success_at) == (NOON, NOON + HOUR, NOON + 2 * HOUR)


def test_the_upstream_is_ready_when_its_pause_is_over():
    state = failed(UpstreamState())

    assert upstream_ready(UpstreamState(), NOON)
    assert not upstream_ready(state, NOON + MINUTE - timedelta(seconds=1))
    assert upstream_ready(state, NOON + MINUTE)


def test_an_outage_never_begins_in_the_future():
    """The clock was a day ahead when the outage began."""
    began = failed(UpstreamState(), NOON + DAY)

    assert failed(began, NOON).failing_since == NOON
    ended = state_after_success(began, NOON)
    assert (ended.outage_since, ended.outage_until) == (NOON, NOON)


def test_no_pause_exceeds_the_longest_pause():
    """Otherwise the relay would mistake its own pauses for a clock that was set back."""
    long = RetryPolicy(pauses=(MINUTE, 6 * HOUR))
    for retry in (RETRY, long):
        pauses = [
            next_try_after(replace(MESSAGE, tries=n, refusals=n % 2), verdict, retry=retry, jitter=1.0, now=NOON)
            for n in range(9)
            for verdict in Verdict
        ] + [
            state_after_failure(UpstreamState(failures=9), kind, "", retry=retry, jitter=1.0, now=NOON).next_try_at
            for kind in Failure
        ]

        assert max(at - NOON for at in pauses if at) <= longest_pause(retry)


def next_try(message: OutboxMessage, verdict: Verdict, now: datetime = NOON, jitter: float = 0.0) -> datetime | None:
    return next_try_after(message, verdict, retry=RETRY, jitter=jitter, now=now)


def test_an_accepted_message_is_not_tried_again():
    assert next_try(MESSAGE, Verdict.ACCEPTED) is None


def test_a_refused_message_has_three_tries_within_an_hour():
    """Even with the largest jitter."""
    now, message, tries = NOON, MESSAGE, 1
    while (at := next_try(message, Verdict.PERMANENT, now, jitter=1.0)) is not None:
        now, tries = at, tries + 1
        message = replace(message, tries=message.tries + 1, refusals=message.refusals + 1)

    assert tries == 3
    assert now - NOON < HOUR


def test_a_temporary_refusal_is_retried_with_the_pauses_of_the_upstream():
    times = [next_try(replace(MESSAGE, tries=tries), Verdict.TEMPORARY) for tries in range(7)]

    assert times == [NOON + minutes * MINUTE for minutes in (1, 2, 4, 8, 16, 30, 30)]


def test_a_message_is_given_up_after_five_days_of_tries():
    at, tried = NOON, MESSAGE
    while (following := next_try(tried, Verdict.TEMPORARY, at)) is not None:
        assert not expired(tried, retry=RETRY)
        at, tried = following, replace(tried, tries=tried.tries + 1)

    assert 5 * DAY <= at - NOON <= 5 * DAY + 30 * MINUTE
    assert expired(tried, retry=RETRY)


@pytest.mark.parametrize("now", [NOON + 365 * DAY, NOON - 365 * DAY])
def test_age_alone_does_not_give_up_a_message(now: datetime):
    """An outage of the upstream or a clock that was set makes a message old: neither is its fault."""
    assert next_try(replace(MESSAGE, tries=100), Verdict.TEMPORARY, now) == now + 30 * MINUTE


def test_temporary_refusals_do_not_use_up_the_tries_of_a_permanent_one():
    assert next_try(replace(MESSAGE, tries=50), Verdict.PERMANENT) == NOON + 10 * MINUTE
