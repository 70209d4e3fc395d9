"""When a letter is tried again, and when it is given up: `outbox` asks, nothing here waits.

Trouble with the upstream is the upstream's, not the letter's: it grows the pause for all letters
(`after_trouble`) and costs no letter a try. A word about a letter itself is that letter's
(`after_answer`). `jitter` is a number in -1..1 that the caller drew; pauses vary by it up to a fifth,
so that many relays do not come back to one upstream in the same second.

No age is asked for, only how often a letter was tried: neither an outage nor a clock that is set ahead or back makes
the relay give a letter up, fall silent or hurry.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from relay.model import Failure, OutboxMessage, RetryPolicy, UpstreamState, Verdict

JITTER = 0.2
AUTH_PAUSE = timedelta(hours=1)
"""After refused credentials: providers lock accounts that try again every minute."""
REFUSAL_PAUSES = (timedelta(minutes=10), timedelta(minutes=30))
"""Between the tries of a letter that was refused for good: three tries, within an hour."""


def after_trouble(
    state: UpstreamState,
    trouble: Failure,
    detail: str,
    *,
    begun: bool = False,
    retry: RetryPolicy,
    jitter: float,
    now: datetime,
) -> UpstreamState:
    """What is known of the upstream after one more try that failed; `next_try_at` is set.

    `begun` is whether the trouble came in the middle of a letter's transaction: another letter may fare better.
    """
    refused_us = trouble is Failure.AUTH and not begun
    pause = AUTH_PAUSE if refused_us else _pause(retry.pauses, state.failures, jitter)
    return replace(
        state,
        failures=state.failures + 1,
        failing_since=min(state.failing_since or now, now),
        next_try_at=now + pause,
        failure=trouble,
        detail=detail,
        last_try_at=now,
    )


def after_success(state: UpstreamState, now: datetime) -> UpstreamState:
    """What is known of the upstream after it gave its word on a letter, whichever: it works.

    An outage that ends here is kept as the last one, for the sentence in the next digest.
    """
    began = state.failing_since
    ended = (min(began, now), now) if began else (state.outage_since, state.outage_until)
    return UpstreamState(last_success_at=now, last_try_at=now, outage_since=ended[0], outage_until=ended[1])


def upstream_ready(state: UpstreamState, now: datetime) -> bool:
    """Whether the upstream may be tried."""
    return state.next_try_at is None or state.next_try_at <= now


def longest_pause(retry: RetryPolicy) -> timedelta:
    """No pause is longer: what is put off for more was put off by a clock that has been set back since."""
    return max(*retry.pauses, *REFUSAL_PAUSES, AUTH_PAUSE) * (1 + JITTER)


def after_answer(
    letter: OutboxMessage, verdict: Verdict, *, retry: RetryPolicy, jitter: float, now: datetime
) -> datetime | None:
    """When a recipient who got `verdict` on this try is tried again; None where there is nothing to try:
    taken, or given up (then the delivery is refused for good, and a letter that nobody took is dead).

    `letter` is as it was claimed: this try is not among its `tries` and `refusals`.
    """
    if verdict is Verdict.ACCEPTED or expired(letter, retry=retry):
        return None
    if verdict is Verdict.PERMANENT:
        return None if letter.refusals >= len(REFUSAL_PAUSES) else now + _pause(REFUSAL_PAUSES, letter.refusals, jitter)
    return now + _pause(retry.pauses, letter.tries, jitter)


def expired(letter: OutboxMessage, *, retry: RetryPolicy) -> bool:
    """Whether a letter has been tried for long enough."""
    climbed = sum(islice(retry.pauses, letter.tries), timedelta())
    return climbed + retry.pauses[-1] * max(letter.tries - len(retry.pauses), 0) >= retry.give_up_after


def _pause(pauses: tuple[timedelta, ...], before: int, jitter: float) -> timedelta:
    """The pause after one more failure than `before`, varied by `jitter`."""
    return pauses[min(before, len(pauses) - 1)] * (1 + JITTER * max(-1.0, min(1.0, jitter)))
