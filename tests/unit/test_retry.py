"""When a letter is tried again, and when it is given up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.config import Upstream
from relay.model import Letter, LetterKind, Trouble, UpstreamState, Verdict
from relay.retry import after_answer, after_success, after_trouble, expired, upstream_ready

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RETRY = Upstream()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LETTER = Letter(
    id="a" * 32,
    kind=LetterKind.DIGEST,
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


def troubled(state: UpstreamState, now: datetime = NOON, *, jitter: float = 0.0, kind: Trouble = Trouble.UNREACHABLE):
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
    state = troubled(troubled(UpstreamState(), kind=Trouble.AUTH), kind=Trouble.AUTH)

    assert state.next_try_at == NOON + HOUR


def test_an_outage_is_dated_from_its_first_failure():
    state = troubled(troubled(UpstreamState()), NOON + HOUR, kind=Trouble.NO_TLS)

    assert (state.failures, state.failing_since, state.last_try_at) == (2, NOON, NOON + HOUR)
    assert (state.trouble, state.detail) == (Trouble.NO_TLS, "no route")


def test_success_ends_the_outage_and_remembers_it():
    state = after_success(troubled(UpstreamState()), NOON + HOUR)

    assert (state.failures, state.failing_since, state.next_try_at, state.trouble) == (0, None, None, None)
    assert (state.outage_since, state.outage_until, state.last_success_at) == (NOON, NOON + HOUR, NOON + HOUR)
    later = after_success(state, NOON + 2 * HOUR)
    assert (later.outage_since, later.outage_until, later.last_success_at) == (NOON, NOON + HOUR, NOON + 2 * HOUR)


def test_the_upstream_may_be_tried_when_its_pause_is_over():
    state = troubled(UpstreamState())

    assert upstream_ready(UpstreamState(), NOON)
    assert not upstream_ready(state, NOON + MINUTE - timedelta(seconds=1))
    assert upstream_ready(state, NOON + MINUTE)


def test_a_pause_from_before_the_clock_was_set_back_does_not_hold():
    assert upstream_ready(troubled(UpstreamState(), NOON + DAY), NOON)


def next_try(letter: Letter, verdict: Verdict, now: datetime = NOON, jitter: float = 0.0) -> datetime | None:
    return after_answer(letter, verdict, retry=RETRY, jitter=jitter, now=now)


def test_a_letter_that_was_taken_needs_no_other_try():
    assert next_try(LETTER, Verdict.TAKEN) is None


def test_a_refused_letter_has_three_tries_within_an_hour():
    """Even with the longest pauses that chance may give."""
    now, letter, tries = NOON, LETTER, 1
    while (at := next_try(letter, Verdict.NEVER, now, jitter=1.0)) is not None:
        now, tries = at, tries + 1
        letter = replace(letter, tries=letter.tries + 1, refusals=letter.refusals + 1)

    assert tries == 3
    assert now - NOON < HOUR


def test_a_letter_that_is_put_off_is_tried_with_the_upstreams_pauses():
    moments = [next_try(replace(LETTER, tries=tries), Verdict.LATER) for tries in range(7)]

    assert moments == [NOON + minutes * MINUTE for minutes in (1, 2, 4, 8, 16, 30, 30)]


def test_after_five_days_it_is_given_up():
    before, after = NOON + 5 * DAY - MINUTE, NOON + 5 * DAY

    assert next_try(LETTER, Verdict.LATER, before) is not None
    assert next_try(LETTER, Verdict.LATER, after) is None
    assert not expired(LETTER, retry=RETRY, now=before)
    assert expired(LETTER, retry=RETRY, now=after)


def test_being_put_off_does_not_use_up_the_tries_of_a_refusal():
    assert next_try(replace(LETTER, tries=50), Verdict.NEVER) == NOON + 10 * MINUTE
