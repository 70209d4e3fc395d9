"""How many mails a recipient gets at most."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.model import Budget, BudgetState
from relay.schedule.budget import exhaust, next_at, spend

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIMITS = Budget()
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def spent(mails: int, state: BudgetState | None = None, now: datetime = NOON, limits: Budget = LIMITS) -> BudgetState:
    for _ in range(mails):
        state = spend(state, limits, now)
        assert state is not None
    assert state is not None
    return state


def test_four_of_the_burst_are_for_everything_and_the_last_is_for_critical():
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


def test_after_a_quiet_night_there_is_a_burst_and_no_more():
    state = spent(4, spent(4), NOON + 12 * HOUR)

    assert spend(state, LIMITS, NOON + 12 * HOUR) is None


def test_in_the_long_run_it_is_per_hour():
    """A mail whenever the budget allows one: twenty an hour, and the burst at the beginning."""
    state, sent = None, 0
    for second in range(0, 10 * 3600, 10):
        after = spend(state, LIMITS, NOON + second * SECOND)
        state, sent = (after, sent + 1) if after else (state, sent)

    assert sent == 4 + 10 * 20 - 1


def test_three_hundred_a_day_are_the_most_and_midnight_brings_a_new_day():
    limits = Budget(per_hour=1000, burst=1000, per_day=300)
    state = spent(300, limits=limits)

    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    assert spend(state, limits, NOON + HOUR, critical=True) is None
    assert next_at(state, limits, NOON + HOUR) == midnight
    assert spend(state, limits, midnight) is not None


@given(st.integers(1, 500), st.integers(0, 10**10), st.booleans())
def test_the_moment_named_is_the_moment_it_goes(per_hour, microseconds, critical):
    """To the microsecond, whatever the rate: who waits until then must not wait in vain."""
    limits = Budget(per_hour=per_hour)
    state, now = spent(4, limits=limits), NOON + timedelta(microseconds=microseconds)

    at = next_at(state, limits, now, critical=critical)

    assert at >= now
    assert spend(state, limits, at, critical=critical) is not None


def test_folding_is_dated_from_its_beginning_and_over_with_the_next_mail():
    state = exhaust(exhaust(spent(4), LIMITS, NOON), LIMITS, NOON + MINUTE)
    assert state.exhausted_since == NOON

    after = spend(state, LIMITS, NOON + 3 * MINUTE)
    assert after is not None
    assert after.exhausted_since is None


def test_a_clock_that_was_set_back_takes_nothing_away_and_is_followed():
    state = spent(4)

    back = NOON - 48 * HOUR
    assert next_at(state, LIMITS, back) == back + 3 * MINUTE
    assert spend(exhaust(state, LIMITS, back), LIMITS, back + 3 * MINUTE) is not None


@given(st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=80))
def test_no_hour_has_more_than_the_burst_and_the_hours_tokens(tries):
    """Whenever mails are asked for, ordinary or critical."""
    state, now, sent = None, NOON, []
    for pause, critical in tries:
        now += pause * SECOND
        if after := spend(state, LIMITS, now, critical=critical):
            state = after
            sent.append(now)

    assert all(sum(at <= other < at + HOUR for other in sent) <= LIMITS.burst + LIMITS.per_hour for at in sent)
