"""The mail budget of one recipient: tokens, the daily limit and a clock that was set back."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.model import Budget, BudgetState
from relay.schedule.budget import exhaust, next_at, spend

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIMITS = Budget()
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def spent(mails: int, state: BudgetState | None = None, now: datetime = NOON, limits: Budget = LIMITS) -> BudgetState:
    """The budget after `mails` mails at `now`."""
    for _ in range(mails):
        state = spend(state, limits, now)
        assert state is not None
    assert state is not None
    return state


def test_last_token_of_the_burst_is_reserved_for_critical():
    state = spent(4)

    assert spend(state, LIMITS, NOON) is None
    last = spend(state, LIMITS, NOON, critical=True)
    assert last is not None
    assert spend(last, LIMITS, NOON, critical=True) is None


def test_a_token_comes_back_every_three_minutes():
    state = spent(4)

    assert next_at(state, LIMITS, NOON) == NOON + 3 * MINUTE
    assert spend(state, LIMITS, NOON + 3 * MINUTE - SECOND) is None
    assert spend(state, LIMITS, NOON + 3 * MINUTE) is not None


def test_tokens_never_exceed_the_burst_after_a_long_pause():
    state = spent(4, spent(4), NOON + 12 * HOUR)

    assert spend(state, LIMITS, NOON + 12 * HOUR) is None


def test_long_run_rate_is_the_hourly_rate():
    """A mail whenever the budget allows one: twenty an hour, plus the burst at the beginning."""
    state, sent = None, 0
    for second in range(0, 10 * 3600, 10):
        after = spend(state, LIMITS, NOON + second * SECOND)
        state, sent = (after, sent + 1) if after else (state, sent)

    assert sent == 4 + 10 * 20 - 1


def test_daily_limit_holds_until_midnight_utc():
    limits = Budget(per_hour=1000, burst=1000, per_day=300)
    state = spent(300, limits=limits)

    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    assert spend(state, limits, NOON + HOUR, critical=True) is None
    assert next_at(state, limits, NOON + HOUR) == midnight
    assert spend(state, limits, midnight) is not None


@given(st.integers(1, 500), st.integers(0, 10**10), st.booleans())
def test_next_at_is_exactly_when_spend_allows_a_mail(per_hour, microseconds, critical):
    """To the microsecond, at any rate: a caller that waits until then must get its mail."""
    limits = Budget(per_hour=per_hour)
    state, now = spent(4, limits=limits), NOON + timedelta(microseconds=microseconds)

    at = next_at(state, limits, now, critical=critical)

    assert at >= now
    assert spend(state, limits, at, critical=critical) is not None


def test_exhausted_since_keeps_the_first_time_until_the_next_mail():
    state = exhaust(exhaust(spent(4), LIMITS, NOON), LIMITS, NOON + MINUTE)
    assert state.exhausted_since == NOON

    after = spend(state, LIMITS, NOON + 3 * MINUTE)
    assert after is not None
    assert after.exhausted_since is None


def test_clock_that_was_set_back_removes_no_tokens_and_the_refill_goes_on():
    state = spent(4)

    back = NOON - 48 * HOUR
    assert next_at(state, LIMITS, back) == back + 3 * MINUTE
    assert spend(exhaust(state, LIMITS, back), LIMITS, back + 3 * MINUTE) is not None


@given(st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=80))
def test_no_hour_has_more_mails_than_burst_plus_hourly_tokens(tries):
    """For any sequence of requests, CRITICAL or not."""
    state, now, sent = None, NOON, []
    for pause, critical in tries:
        now += pause * SECOND
        if after := spend(state, LIMITS, now, critical=critical):
            state = after
            sent.append(now)

    assert all(sum(at <= other < at + HOUR for other in sent) <= LIMITS.burst + LIMITS.per_hour for at in sent)
