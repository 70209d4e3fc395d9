"""The next digest of a route, and the forecast that `relay plan` prints."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Arrival, Fingerprint, Group, Level, Phase, Reason, RouteState, Timing
from relay.schedule.group import arrive, mark_reported, mute, open_group
from relay.schedule.route import MAX_ENTRIES, DueDigest, after_digest, due_digest, forecast, next_wake, opens_at, plan

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMING = Timing()
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def fresh(number: int, at: datetime = NOON, *, count: int = 1, level: Level = Level.ERROR) -> Group:
    arrival = Arrival(mails=count, occurrences=count, first=at, last=at, level=level)
    error = Fingerprint(version=1, key=str(number), title=f"error {number}")
    opened = open_group(route="admins", app="shop", fingerprint=error, arrival=arrival)
    return arrive(replace(opened, id=number), arrival, TIMING)


def known(number: int, at: datetime = NOON, *, count: int = 1) -> Group:
    """A group that was first reported at `at`."""
    return mark_reported(fresh(number, at - 10 * SECOND, count=count), Reason.NEW, TIMING, at)


def ongoing(number: int, at: datetime, *, reported: datetime = NOON, count: int = 1) -> Group:
    arrival = Arrival(mails=count, occurrences=count, first=at, last=at, level=Level.ERROR)
    return arrive(known(number, reported), arrival, TIMING)


def reported_at(now, *groups, last=None, caught_up=True):
    chosen = due_digest(
        "admins", groups, state=RouteState(last_digest_at=last), timing=TIMING, now=now, caught_up=caught_up
    )
    return chosen and {group.id: why for group, why in chosen.groups}


def digest_of(*groups: Group, now: datetime, last: datetime | None = None) -> DueDigest:
    chosen = due_digest("admins", groups, state=RouteState(last_digest_at=last), timing=TIMING, now=now)
    assert chosen is not None
    return chosen


def test_no_digest_before_a_group_is_due():
    assert reported_at(NOON + 9 * SECOND, fresh(1)) is None


def test_fresh_and_ended_errors_are_included_early_and_ongoing_ones_are_not():
    now = NOON + HOUR
    groups = (
        fresh(1, now - 10 * SECOND),
        fresh(2, now - SECOND),
        known(3),
        ongoing(4, now - MINUTE, reported=now - 4 * MINUTE),
    )

    assert reported_at(now, *groups) == {1: Reason.NEW, 2: Reason.NEW, 3: Reason.ENDED}


def test_groups_that_can_only_be_included_early_make_no_digest():
    assert reported_at(NOON + HOUR, known(3)) is None


def test_ongoing_error_within_the_interval_waits_until_it_is_over():
    group = ongoing(1, NOON - MINUTE, reported=NOON - 6 * MINUTE)

    assert reported_at(NOON + MINUTE, group, last=NOON - 3 * MINUTE) is None
    assert reported_at(NOON + 2 * MINUTE, group, last=NOON - 3 * MINUTE) == {1: Reason.ONGOING}


def test_new_error_does_not_wait_for_the_interval():
    assert reported_at(NOON + MINUTE, fresh(1), last=NOON - SECOND) == {1: Reason.NEW}


@pytest.mark.parametrize(
    ("step", "gap"),
    [(0, 10 * SECOND), (1, 30 * SECOND), (2, MINUTE), (3, 2 * MINUTE), (4, 5 * MINUTE), (9, 5 * MINUTE)],
)
def test_new_error_waits_for_the_gap_after_the_last_news(step, gap):
    """A step beyond the last gap (the settings were changed) counts as the last one."""
    state = RouteState(last_digest_at=NOON, last_news_at=NOON, news_step=step)

    assert opens_at(state, TIMING, NOON, news=True) == NOON + gap
    assert opens_at(state, TIMING, NOON, news=False) == NOON + 5 * MINUTE


def test_news_never_waits_longer_than_the_interval():
    state = RouteState(last_digest_at=NOON, last_news_at=NOON, news_step=4)

    assert opens_at(state, replace(TIMING, interval=MINUTE), NOON, news=True) == NOON + MINUTE


def test_gap_grows_with_each_digest_that_carries_news_and_starts_again_after_calm():
    state, at, steps = RouteState(), NOON, []
    for wait in (0, 1, 1, 1, 1, 1, 14, 15, 1):
        at += wait * MINUTE
        state = after_digest(state, TIMING, at, news=True)
        steps.append(state.news_step)

    assert steps == [0, 1, 2, 3, 4, 4, 4, 0, 1]


def test_digest_without_news_leaves_the_gap_between_news_as_it_is():
    before = RouteState(last_digest_at=NOON, last_news_at=NOON, news_step=2)

    assert after_digest(before, TIMING, NOON + MINUTE, news=False) == replace(before, last_digest_at=NOON + MINUTE)


def test_last_news_in_the_future_delays_nothing_and_starts_the_gaps_again():
    """The clock was set back."""
    state = RouteState(last_digest_at=NOON + HOUR, last_news_at=NOON + HOUR, news_step=4)

    assert opens_at(state, TIMING, NOON, news=True) == NOON
    assert after_digest(state, TIMING, NOON, news=True).news_step == 0


def test_new_error_that_is_included_early_makes_a_digest_of_news():
    now = NOON + 10 * MINUTE
    chosen = digest_of(ongoing(1, NOON + 5 * MINUTE, reported=NOON), fresh(2, now - SECOND), now=now)

    assert [why for _, why in chosen.groups] == [Reason.ONGOING, Reason.NEW]
    assert chosen.news


def test_critical_error_does_not_wait_for_the_interval_and_the_digest_includes_the_others():
    groups = (fresh(1), fresh(2, level=Level.CRITICAL))

    chosen = digest_of(*groups, last=NOON - MINUTE, now=NOON + 10 * SECOND)

    assert [group.id for group, _ in chosen.groups] == [2, 1]
    assert chosen.critical


def test_critical_error_waits_for_first_wait():
    assert reported_at(NOON + 9 * SECOND, fresh(1, level=Level.CRITICAL)) is None


def test_closing_total_of_a_critical_error_is_not_critical():
    group = replace(known(1, count=100), level=Level.CRITICAL)

    chosen = digest_of(group, now=NOON + HOUR)

    assert chosen.groups == ((group, Reason.ENDED),)
    assert not chosen.critical


def test_last_digest_in_the_future_does_not_delay_the_next_one():
    """The clock was set back."""
    assert reported_at(NOON + MINUTE, fresh(1), last=NOON + HOUR) == {1: Reason.NEW}


def test_muted_groups_are_left_out():
    assert reported_at(NOON + MINUTE, mute(fresh(1), NOON + HOUR, TIMING)) is None


def test_no_closing_total_while_the_worker_lags_behind():
    assert reported_at(NOON + HOUR, known(1, count=500), fresh(2), caught_up=False) == {2: Reason.NEW}


def test_worst_level_and_most_frequent_error_come_first():
    groups = (fresh(1, count=3), fresh(2, level=Level.WARNING, count=9), fresh(3, count=7))

    chosen = digest_of(*groups, now=NOON + MINUTE)

    assert [group.id for group, _ in chosen.groups] == [3, 1, 2]


def test_full_digest_prefers_groups_that_are_due_to_those_included_early():
    early = [fresh(number, NOON + MINUTE - SECOND, count=9) for number in range(3)]
    due = [fresh(number) for number in range(10, 10 + MAX_ENTRIES - 1)]

    reported = reported_at(NOON + MINUTE, *early, *due)

    assert len(reported) == MAX_ENTRIES
    assert sum(number >= 10 for number in reported) == MAX_ENTRIES - 1


def test_critical_error_is_in_the_full_digest_that_it_causes():
    due = [*(fresh(number) for number in range(MAX_ENTRIES)), fresh(MAX_ENTRIES, level=Level.CRITICAL)]

    reported = reported_at(NOON + MINUTE, *due)

    assert MAX_ENTRIES in reported
    assert len(reported) == MAX_ENTRIES


def test_full_digest_includes_nothing_early():
    due = [fresh(number) for number in range(MAX_ENTRIES)]
    early = [fresh(MAX_ENTRIES, NOON + MINUTE - SECOND, count=9, level=Level.CRITICAL), known(MAX_ENTRIES + 1)]

    assert digest_of(*due, *early, now=NOON + MINUTE) == digest_of(*due, now=NOON + MINUTE)


# --- The forecast -----------------------------------------------------------------------------------------------------


def again() -> Group:
    """A group that ended at noon and was seen again at once."""
    closed = mark_reported(known(1, NOON - 30 * MINUTE), Reason.ENDED, TIMING, NOON)
    return arrive(
        closed, Arrival(mails=3, occurrences=3, first=NOON, last=NOON, level=Level.ERROR, minutes={NOON: 3}), TIMING
    )


@pytest.mark.parametrize(
    ("group", "at", "words"),
    [
        (fresh(1, count=1200), NOON + 10 * SECOND, "new: 1,200 pending, due 10 s after the first"),
        (ongoing(1, NOON), NOON + 5 * MINUTE, "ongoing: 1 pending, due 5 min after the last report"),
        (again(), NOON + 10 * MINUTE, "again after it had ended: 3 pending, due at least 10 min after the last report"),
        (
            ongoing(1, NOON + 6 * MINUTE, count=50),
            NOON + 6 * MINUTE + 10 * SECOND,
            "spike: 50 pending, at least 10 times the last reported rate",
        ),
        (
            replace(fresh(1), seen_before=NOON - 48 * HOUR),
            NOON + 10 * SECOND,
            "back after a long quiet period: 1 pending, due 10 s after the first",
        ),
        (
            known(1, NOON + 10 * SECOND, count=7412),
            NOON + 15 * MINUTE,
            "closing total of 7,412, due after 15 min of quiet",
        ),
        (
            known(1),
            None,
            "nothing pending; the closing total (1) is included in the next digest of another error",
        ),
        (replace(known(1), phase=Phase.ENDED), None, "nothing pending: it has ended"),
        (mute(fresh(1), NOON + HOUR, TIMING), NOON + HOUR, "muted; then new: 1 pending, due 10 s after the first"),
    ],
)
def test_forecast_says_when_and_why(group, at, words):
    found = forecast(group, state=RouteState(), timing=TIMING, now=NOON)

    assert (found.at, found.words) == (at, words)


def test_forecast_includes_the_interval_of_the_route():
    known_error = ongoing(1, NOON - MINUTE, reported=NOON - 6 * MINUTE)
    found = forecast(known_error, state=RouteState(last_digest_at=NOON - MINUTE), timing=TIMING, now=NOON)

    assert found.at == NOON + 4 * MINUTE
    assert found.words.endswith(", in the route's next digest (at least 5 min after the last one)")


def test_forecast_of_a_new_error_includes_the_gap_between_news():
    state = RouteState(last_digest_at=NOON, last_news_at=NOON, news_step=3)
    found = forecast(fresh(1), state=state, timing=TIMING, now=NOON)

    assert found.at == NOON + 2 * MINUTE
    assert found.words.endswith(", in the route's next digest (at least 2 min after the last one with news)")


def test_forecast_of_a_critical_error_ignores_the_interval():
    found = forecast(
        fresh(1, level=Level.CRITICAL), state=RouteState(last_digest_at=NOON - MINUTE), timing=TIMING, now=NOON
    )

    assert found.at == NOON + 10 * SECOND


def test_plan_has_the_next_one_first_and_groups_that_are_not_due_last():
    groups = [known(1), ongoing(2, NOON), fresh(3)]

    forecasts = plan(groups, state=RouteState(), timing=TIMING, now=NOON)

    assert [found.group.id for found in forecasts] == [3, 2, 1]


def test_next_wake_is_the_first_due_time_of_the_plan():
    groups = [known(1), ongoing(2, NOON), fresh(3)]

    assert next_wake(groups, state=RouteState(), timing=TIMING, now=NOON) == NOON + 10 * SECOND
    assert next_wake([known(1)], state=RouteState(), timing=TIMING, now=NOON) is None
    assert next_wake([], state=RouteState(), timing=TIMING, now=NOON) is None


def test_forecast_comes_true():
    """The group is reported at the forecast time and not a second before."""
    for group in (fresh(1), ongoing(1, NOON), again(), known(1, count=500)):
        found = forecast(group, state=RouteState(last_digest_at=NOON - MINUTE), timing=TIMING, now=NOON)
        assert found.at is not None
        assert reported_at(found.at - SECOND, group, last=NOON - MINUTE) is None
        assert reported_at(found.at, group, last=NOON - MINUTE) == {1: found.reason}
