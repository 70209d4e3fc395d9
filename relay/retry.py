"""When a letter is tried again, and when it is given up: `outbox` asks, nothing here waits.

Trouble with the upstream is the upstream's, not the letter's: it grows the pause for all letters
(`after_trouble`) and costs no letter a try. A word about a letter itself is that letter's
(`after_answer`). `jitter` is a number in -1..1 that the caller drew; pauses vary by it up to a fifth,
so that many relays do not come back to one upstream in the same second.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from relay.model import Letter, Trouble, UpstreamState, Verdict

JITTER = 0.2
AUTH_PAUSE = timedelta(hours=1)
"""After refused credentials: providers lock accounts that try again every minute."""
REFUSAL_PAUSES = (timedelta(minutes=10), timedelta(minutes=30))
"""Between the tries of a letter that was refused for good: three tries, within an hour."""


class Retry(Protocol):
    """The settings that decide over tries; `config.Upstream` is one."""

    @property
    def retry(self) -> tuple[timedelta, ...]:
        """The pauses after the first, second, … failure; the last one repeats. Never empty."""

    @property
    def give_up_after(self) -> timedelta:
        """The age at which a letter nobody took becomes a dead letter."""


def after_trouble(
    state: UpstreamState, trouble: Trouble, detail: str, *, retry: Retry, jitter: float, now: datetime
) -> UpstreamState:
    """What is known of the upstream after one more try that never came to a letter; `next_try_at` is set."""
    pause = AUTH_PAUSE if trouble is Trouble.AUTH else _pause(retry.retry, state.failures, jitter)
    return replace(
        state,
        failures=state.failures + 1,
        failing_since=state.failing_since or now,
        next_try_at=now + pause,
        trouble=trouble,
        detail=detail,
        last_try_at=now,
    )


def after_success(state: UpstreamState, now: datetime) -> UpstreamState:
    """What is known of the upstream after it gave its word on a letter, whichever: it works.

    An outage that ends here is kept as the last one, for the sentence in the next digest.
    """
    ended = (state.failing_since, now) if state.failing_since else (state.outage_since, state.outage_until)
    return UpstreamState(last_success_at=now, last_try_at=now, outage_since=ended[0], outage_until=ended[1])


def upstream_ready(state: UpstreamState, now: datetime) -> bool:
    """Whether the upstream may be tried. A pause from before the clock was set back does not count."""
    set_back = state.last_try_at is not None and state.last_try_at > now
    return state.next_try_at is None or state.next_try_at <= now or set_back


def after_answer(letter: Letter, verdict: Verdict, *, retry: Retry, jitter: float, now: datetime) -> datetime | None:
    """When a recipient who got `verdict` on this try is tried again; None where there is nothing to try:
    taken, or given up (then the delivery is refused for good, and a letter that nobody took is dead).

    `letter` is as it was claimed: this try is not among its `tries` and `refusals`.
    """
    if verdict is Verdict.TAKEN or expired(letter, retry=retry, now=now):
        return None
    if verdict is Verdict.NEVER:
        return None if letter.refusals >= len(REFUSAL_PAUSES) else now + _pause(REFUSAL_PAUSES, letter.refusals, jitter)
    return now + _pause(retry.retry, letter.tries, jitter)


def expired(letter: Letter, *, retry: Retry, now: datetime) -> bool:
    """Whether a letter is too old to be tried once more, whoever is to blame."""
    return now - letter.created_at >= retry.give_up_after


def _pause(pauses: tuple[timedelta, ...], before: int, jitter: float) -> timedelta:
    """The pause after one more failure than `before`, varied by `jitter`."""
    return pauses[min(before, len(pauses) - 1)] * (1 + JITTER * max(-1.0, min(1.0, jitter)))
