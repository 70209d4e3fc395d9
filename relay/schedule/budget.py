"""Mail budget of one recipient: a token bucket and a daily limit, as pure functions (for the digest step).

A recipient can get `burst` mails at once. Tokens come back at `per_hour` an hour, up to `burst`. `per_day` limits the
mails from midnight to midnight (UTC). The last token is reserved for CRITICAL errors.

Guarantee: no mail goes out beyond the budget. What the budget does not allow stays pending. The next digest that the
budget allows includes it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from relay.model import Budget, BudgetState

HOUR = timedelta(hours=1)
_ROUNDING = 1e-6
"""Times are whole microseconds, so a refilled token can be slightly below 1. This difference is tolerated."""


def spend(state: BudgetState | None, limits: Budget, now: datetime, *, critical: bool = False) -> BudgetState | None:
    """Return the budget after one mail at `now`, or None if it allows no mail.

    `state` is None for a recipient that never got a mail.
    """
    current = _refilled(state, limits, now)
    if current.sent_today >= limits.per_day or current.tokens + _ROUNDING < _needed(critical=critical):
        return None
    return replace(
        current, tokens=max(0.0, current.tokens - 1), sent_today=current.sent_today + 1, exhausted_since=None
    )


def exhaust(state: BudgetState | None, limits: Budget, now: datetime) -> BudgetState:
    """Return the budget with `exhausted_since` set. An earlier time stays there until `spend` succeeds."""
    current = _refilled(state, limits, now)
    return replace(current, exhausted_since=current.exhausted_since or now)


def held_until(state: BudgetState, limits: Budget, now: datetime) -> datetime | None:
    """Return until when the budget holds mail back, or None if it holds none back now (except for a CRITICAL error)."""
    if state.exhausted_since is None:
        return None
    at = next_at(state, limits, now)
    return at if at > now else None


def next_at(state: BudgetState | None, limits: Budget, now: datetime, *, critical: bool = False) -> datetime:
    """Return the first time, at or after `now`, at which `spend` allows a mail."""
    current = _refilled(state, limits, now)
    missing = _needed(critical=critical) - current.tokens
    refilled_at = now + HOUR * (missing / limits.per_hour) if missing > _ROUNDING else now
    if current.sent_today < limits.per_day:
        return refilled_at
    return max(refilled_at, datetime.combine(now.date() + timedelta(days=1), time(), tzinfo=UTC))


def _needed(*, critical: bool) -> float:
    return 1.0 if critical else 2.0


def _refilled(state: BudgetState | None, limits: Budget, now: datetime) -> BudgetState:
    """Return the budget as of `now`. A clock that was set back adds no tokens and removes none."""
    day = now.astimezone(UTC).date().isoformat()
    if state is None:
        return BudgetState(tokens=float(limits.burst), at=now, day=day, sent_today=0)
    elapsed = max(now - state.at, timedelta(0))
    tokens = min(float(limits.burst), state.tokens + elapsed / HOUR * limits.per_hour)
    return replace(state, tokens=tokens, at=now, day=day, sent_today=state.sent_today if state.day == day else 0)
