"""When a message is tried again, and when the relay gives it up (pure; `outbox.step` asks, nothing here waits).

A failure of the upstream is not the message's fault: it lengthens the pause for all messages (`state_after_failure`)
and is not counted against any message. A reply about one message counts for that message alone (`next_try_after`).
`jitter` is a number in -1..1 that the caller draws. It varies a pause by at most a fifth, so that many relays do not
return to one upstream in the same second.

Only the number of tries counts, never the age of a message. So neither an outage nor a clock that is set ahead or back
makes the relay give up a message, stop sending, or send too often.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from relay.model import Failure, OutboxMessage, RetryPolicy, UpstreamState, Verdict

JITTER = 0.2
AUTH_PAUSE = timedelta(hours=1)
"""Pause after refused credentials: providers lock accounts that log in with a wrong password every minute."""
REFUSAL_PAUSES = (timedelta(minutes=10), timedelta(minutes=30))
"""Pauses between the tries of a message with a permanent (5xx) refusal: three tries, within an hour."""


def state_after_failure(
    state: UpstreamState,
    failure: Failure,
    detail: str,
    *,
    begun: bool = False,
    retry: RetryPolicy,
    jitter: float,
    now: datetime,
) -> UpstreamState:
    """Return the upstream's state after one more failed try; `next_try_at` is set.

    `begun` says that the failure came after MAIL, in the transaction of one message: another message may succeed.
    """
    login_refused = failure is Failure.AUTH and not begun
    pause = AUTH_PAUSE if login_refused else _pause(retry.pauses, state.failures, jitter)
    return replace(
        state,
        failures=state.failures + 1,
        failing_since=min(state.failing_since or now, now),
        next_try_at=now + pause,
        failure=failure,
        detail=detail,
        last_try_at=now,
    )


def state_after_success(state: UpstreamState, now: datetime) -> UpstreamState:
    """Return the upstream's state after it replied about a message, with any verdict: it works.

    An outage that ends here is kept as the last one, for the sentence in the next digest.
    """
    began = state.failing_since
    ended = (min(began, now), now) if began else (state.outage_since, state.outage_until)
    return UpstreamState(
        last_success_at=now, last_try_at=now, checked_at=now, outage_since=ended[0], outage_until=ended[1]
    )


def state_after_check(state: UpstreamState, now: datetime) -> UpstreamState:
    """Return the upstream's state after a check without a mail: connection, TLS and login worked.

    A refusal of the last message stays as it is, because the check sent none.
    """
    after = replace(state_after_success(state, now), last_success_at=state.last_success_at)
    if state.failures:
        return after
    return replace(after, failure=state.failure, detail=state.detail)


def upstream_ready(state: UpstreamState, now: datetime) -> bool:
    """Return whether the pause of the upstream is over."""
    return state.next_try_at is None or state.next_try_at <= now


def longest_pause(retry: RetryPolicy) -> timedelta:
    """Return the upper bound of every pause. A longer one comes from a clock that has been set back since."""
    return max(*retry.pauses, *REFUSAL_PAUSES, AUTH_PAUSE) * (1 + JITTER)


def next_try_after(
    message: OutboxMessage, verdict: Verdict, *, long: bool = False, retry: RetryPolicy, jitter: float, now: datetime
) -> datetime | None:
    """Return when to try a recipient again who got `verdict` on this try.

    Returns None if there is no further try: the recipient accepted the message, or the relay gives up. After that the
    delivery is refused for good, and a message that no recipient accepted is a dead letter.
    `long`: the reply will not change within minutes (a daily limit, a full mailbox, a wrong setting). The pause is the
    last and longest one of `retry` from the first try on, so that the relay does not knock on a closed door.
    `message` is as claimed: its `tries` and `refusals` do not count this try.
    """
    if verdict is Verdict.ACCEPTED or expired(message, retry=retry):
        return None
    if verdict is Verdict.PERMANENT:
        refusals = message.refusals
        return None if refusals >= len(REFUSAL_PAUSES) else now + _pause(REFUSAL_PAUSES, refusals, jitter)
    return now + _pause(retry.pauses[-1:] if long else retry.pauses, message.tries, jitter)


def expired(message: OutboxMessage, *, retry: RetryPolicy) -> bool:
    """Return whether the pauses between the message's tries add up to `retry.give_up_after` or more."""
    first_pauses = sum(islice(retry.pauses, message.tries), timedelta())
    last_pauses = retry.pauses[-1] * max(message.tries - len(retry.pauses), 0)
    return first_pauses + last_pauses >= retry.give_up_after


def _pause(pauses: tuple[timedelta, ...], earlier_failures: int, jitter: float) -> timedelta:
    """Return the pause after one more failure than `earlier_failures`, varied by `jitter`."""
    return pauses[min(earlier_failures, len(pauses) - 1)] * (1 + JITTER * max(-1.0, min(1.0, jitter)))
