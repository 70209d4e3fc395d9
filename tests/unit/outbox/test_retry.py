"""When a letter is tried again, and when it is given up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Failure, MessageKind, OutboxMessage, RetryPolicy, UpstreamState, Verdict
from relay.outbox.retry import after_answer, after_success, after_trouble, expired, longest_pause, upstream_ready

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RETRY = RetryPolicy()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LETTER = OutboxMessage(
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


def troubled(state: UpstreamState, now: datetime = NOON, *, jitter: float = 0.0, kind: Failure = Failure.UNREACHABLE):
    return after_trouble(state, kind, "no route", retry=RETRY, jitter=jitter, now=now)


def test_the_upstream_is_left_alone_for_longer_and_longer():
    state, pauses = UpstreamState(), []
    for _ in range(8):
        state = troubled(state)
        pauses.append((state.next_try_at - NOON) / MINUTE)

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 48), (0.0, 60), (1.0, 72), (9.0, 72)])
def test_pauses_vary_by_a_fifth_and_no_more(jitter, seconds):
    assert troubled(UpstreamState(), jitter=jitter).next_try_at == NOON + timedelta(seconds=seconds)


def test_refused_credentials_are_tried_once_an_hour():
    state = troubled(troubled(UpstreamState(), kind=Failure.AUTH), kind=Failure.AUTH)

    assert state.next_try_at == NOON + HOUR


def test_an_outage_is_dated_from_its_first_failure():
    state = troubled(troubled(UpstreamState()), NOON + HOUR, kind=Failure.NO_TLS)

    assert (state.failures, state.failing_since, state.last_try_at) == (2, NOON, NOON + HOUR)
    assert (state.failure, state.detail) == (Failure.NO_TLS, "no route")


def test_success_ends_the_outage_and_remembers_it():
    state = after_success(troubled(UpstreamState()), NOON + HOUR)

    assert (state.failures, state.failing_since, state.next_try_at, state.failure) == (0, None, None, None)
    assert (state.outage_since, state.outage_until, state.last_success_at) == (NOON, NOON + HOUR, NOON + HOUR)
    later = after_success(state, NOON + 2 * HOUR)
    assert (later.outage_since, later.outage_until, later.last_success_at) == (NOON, NOON + HOUR, NOON + 2 * HOUR)


def test_the_upstream_may_be_tried_when_its_pause_is_over():
    state = troubled(UpstreamState())

    assert upstream_ready(UpstreamState(), NOON)
    assert not upstream_ready(state, NOON + MINUTE - timedelta(seconds=1))
    assert upstream_ready(state, NOON + MINUTE)


def test_an_outage_never_begins_after_it_was_seen():
    """The clock was a day ahead when it began."""
    began = troubled(UpstreamState(), NOON + DAY)

    assert troubled(began, NOON).failing_since == NOON
    assert (after_success(began, NOON).outage_since, after_success(began, NOON).outage_until) == (NOON, NOON)


def test_no_pause_is_longer_than_the_longest():
    """Else the relay would take its own pauses for those of a clock that was set back."""
    long = RetryPolicy(pauses=(MINUTE, 6 * HOUR))
    for retry in (RETRY, long):
        pauses = [
            after_answer(replace(LETTER, tries=tries, refusals=tries % 2), verdict, retry=retry, jitter=1.0, now=NOON)
            for tries in range(9)
            for verdict in Verdict
        ] + [
            after_trouble(UpstreamState(failures=9), kind, "", retry=retry, jitter=1.0, now=NOON).next_try_at
            for kind in Failure
        ]

        assert max(at - NOON for at in pauses if at) <= longest_pause(retry)


def next_try(letter: OutboxMessage, verdict: Verdict, now: datetime = NOON, jitter: float = 0.0) -> datetime | None:
    return after_answer(letter, verdict, retry=RETRY, jitter=jitter, now=now)


def test_a_letter_that_was_taken_needs_no_other_try():
    assert next_try(LETTER, Verdict.ACCEPTED) is None


def test_a_refused_letter_has_three_tries_within_an_hour():
    """Even with the longest pauses that chance may give."""
    now, letter, tries = NOON, LETTER, 1
    while (at := next_try(letter, Verdict.PERMANENT, now, jitter=1.0)) is not None:
        now, tries = at, tries + 1
        letter = replace(letter, tries=letter.tries + 1, refusals=letter.refusals + 1)

    assert tries == 3
    assert now - NOON < HOUR


def test_a_letter_that_is_put_off_is_tried_with_the_upstreams_pauses():
    moments = [next_try(replace(LETTER, tries=tries), Verdict.TEMPORARY) for tries in range(7)]

    assert moments == [NOON + minutes * MINUTE for minutes in (1, 2, 4, 8, 16, 30, 30)]


def test_after_tries_for_five_days_it_is_given_up():
    at, tried = NOON, LETTER
    while (following := next_try(tried, Verdict.TEMPORARY, at)) is not None:
        assert not expired(tried, retry=RETRY)
        at, tried = following, replace(tried, tries=tried.tries + 1)

    assert 5 * DAY <= at - NOON <= 5 * DAY + 30 * MINUTE
    assert expired(tried, retry=RETRY)


@pytest.mark.parametrize("now", [NOON + 365 * DAY, NOON - 365 * DAY])
def test_age_alone_gives_no_letter_up(now: datetime):
    """Be it an outage of the upstream or a clock that was set: neither is the letter's fault."""
    assert next_try(replace(LETTER, tries=100), Verdict.TEMPORARY, now) == now + 30 * MINUTE


def test_being_put_off_does_not_use_up_the_tries_of_a_refusal():
    assert next_try(replace(LETTER, tries=50), Verdict.PERMANENT) == NOON + 10 * MINUTE
