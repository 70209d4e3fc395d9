"""How many mails one recipient gets at most: a token bucket and a daily limit, as pure functions (digest asks).

`burst` mails may go at once; `per_hour` tokens an hour flow back, never beyond `burst`; `per_day` holds from midnight
to midnight (UTC). The last token is kept for CRITICAL. Nothing goes out beyond the budget, whatever
happens: what it does not allow stays pending and is folded into the next digest it does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from relay.model import Budget, BudgetState

HOUR = timedelta(hours=1)
_ROUNDING = 1e-6
"""Moments are whole microseconds: a token that is whole but for that is whole."""


def spend(state: BudgetState | None, limits: Budget, now: datetime, *, critical: bool = False) -> BudgetState | None:
    """The budget after one mail at `now`, None where it allows none; `state` None is a recipient without a past."""
    current = _refilled(state, limits, now)
    if current.sent_today >= limits.per_day or current.tokens + _ROUNDING < _needed(critical=critical):
        return None
    return replace(
        current, tokens=max(0.0, current.tokens - 1), sent_today=current.sent_today + 1, exhausted_since=None
    )


def exhaust(state: BudgetState | None, limits: Budget, now: datetime) -> BudgetState:
    """The budget with the moment noted at which folding began; the first such moment stays until `spend` succeeds."""
    current = _refilled(state, limits, now)
    return replace(current, exhausted_since=current.exhausted_since or now)


def next_at(state: BudgetState | None, limits: Budget, now: datetime, *, critical: bool = False) -> datetime:
    """The first moment, `now` or later, at which `spend` allows a mail."""
    current = _refilled(state, limits, now)
    missing = _needed(critical=critical) - current.tokens
    refilled_at = now + HOUR * (missing / limits.per_hour) if missing > _ROUNDING else now
    if current.sent_today < limits.per_day:
        return refilled_at
    return max(refilled_at, datetime.combine(now.date() + timedelta(days=1), time(), tzinfo=UTC))


def _needed(*, critical: bool) -> float:
    return 1.0 if critical else 2.0


def _refilled(state: BudgetState | None, limits: Budget, now: datetime) -> BudgetState:
    """The budget as of `now`. A clock that was set back refills nothing and never takes anything away."""
    day = now.astimezone(UTC).date().isoformat()
    if state is None:
        return BudgetState(tokens=float(limits.burst), at=now, day=day, sent_today=0)
    elapsed = max(now - state.at, timedelta(0))
    tokens = min(float(limits.burst), state.tokens + elapsed / HOUR * limits.per_hour)
    return replace(state, tokens=tokens, at=now, day=day, sent_today=state.sent_today if state.day == day else 0)
