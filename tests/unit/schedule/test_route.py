"""What a route is told together, and the forecast of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Arrival, Fingerprint, Group, Level, Phase, Reason, Timing
from relay.schedule.group import arrive, mark_reported, mute, open_group
from relay.schedule.route import MAX_ENTRIES, DueDigest, due_digest, forecast, next_wake, plan

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMING = Timing()
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def fresh(number: int, at: datetime = NOON, *, count: int = 1, level: Level = Level.ERROR) -> Group:
    arrival = Arrival(mails=count, occurrences=count, first=at, last=at, level=level)
    error = Fingerprint(version=1, key=str(number), title=f"error {number}")
    opened = open_group(route="admins", app="shop", fingerprint=error, arrival=arrival)
    return arrive(replace(opened, id=number), arrival, TIMING)


def known(number: int, at: datetime = NOON, *, count: int = 1) -> Group:
    """An error whose first news went out at `at`."""
    return mark_reported(fresh(number, at - 10 * SECOND, count=count), Reason.NEW, TIMING, at)


def ongoing(number: int, at: datetime, *, reported: datetime = NOON, count: int = 1) -> Group:
    arrival = Arrival(mails=count, occurrences=count, first=at, last=at, level=Level.ERROR)
    return arrive(known(number, reported), arrival, TIMING)


def told_at(now, *groups, last=None, caught_up=True):
    chosen = due_digest("admins", groups, last_digest_at=last, timing=TIMING, now=now, caught_up=caught_up)
    return chosen and {group.id: why for group, why in chosen.groups}


def turn_of(*groups: Group, now: datetime, last: datetime | None = None) -> DueDigest:
    chosen = due_digest("admins", groups, last_digest_at=last, timing=TIMING, now=now)
    assert chosen is not None
    return chosen


def test_nothing_is_told_before_something_is_due():
    assert told_at(NOON + 9 * SECOND, fresh(1)) is None


def test_fresh_and_ended_ones_ride_along_and_ongoing_ones_do_not():
    now = NOON + HOUR
    groups = (
        fresh(1, now - 10 * SECOND),
        fresh(2, now - SECOND),
        known(3),
        ongoing(4, now - MINUTE, reported=now - 4 * MINUTE),
    )

    assert told_at(now, *groups) == {1: Reason.NEW, 2: Reason.NEW, 3: Reason.ENDED}


def test_what_could_only_ride_makes_no_digest():
    assert told_at(NOON + HOUR, known(3)) is None


def test_within_the_interval_it_waits_for_the_tick():
    group = fresh(1)

    assert told_at(NOON + MINUTE, group, last=NOON - 3 * MINUTE) is None
    assert told_at(NOON + 2 * MINUTE, group, last=NOON - 3 * MINUTE) == {1: Reason.NEW}


def test_a_critical_one_does_not_wait_and_takes_the_others_along():
    groups = (fresh(1), fresh(2, level=Level.CRITICAL))

    chosen = turn_of(*groups, last=NOON - MINUTE, now=NOON + 10 * SECOND)

    assert [group.id for group, _ in chosen.groups] == [2, 1]
    assert chosen.critical


def test_a_critical_one_waits_for_those_that_break_with_it():
    assert told_at(NOON + 9 * SECOND, fresh(1, level=Level.CRITICAL)) is None


def test_the_closing_total_of_a_critical_error_is_not_critical():
    group = replace(known(1, count=100), level=Level.CRITICAL)

    chosen = turn_of(group, now=NOON + HOUR)

    assert chosen.groups == ((group, Reason.ENDED),)
    assert not chosen.critical


def test_a_digest_from_the_future_does_not_close_the_route():
    """The clock was set back."""
    assert told_at(NOON + MINUTE, fresh(1), last=NOON + HOUR) == {1: Reason.NEW}


def test_muted_ones_are_left_out():
    assert told_at(NOON + MINUTE, mute(fresh(1), NOON + HOUR, TIMING)) is None


def test_nothing_is_closed_while_the_worker_lags_behind():
    assert told_at(NOON + HOUR, known(1, count=500), fresh(2), caught_up=False) == {2: Reason.NEW}


def test_the_worst_and_most_frequent_come_first():
    groups = (fresh(1, count=3), fresh(2, level=Level.WARNING, count=9), fresh(3, count=7))

    chosen = turn_of(*groups, now=NOON + MINUTE)

    assert [group.id for group, _ in chosen.groups] == [3, 1, 2]


def test_a_digest_has_an_upper_bound_and_those_that_are_due_go_before_those_that_ride():
    riding = [fresh(number, NOON + MINUTE - SECOND, count=9) for number in range(3)]
    due = [fresh(number) for number in range(10, 10 + MAX_ENTRIES - 1)]

    told = told_at(NOON + MINUTE, *riding, *due)

    assert len(told) == MAX_ENTRIES
    assert sum(number >= 10 for number in told) == MAX_ENTRIES - 1


def test_a_critical_error_behind_thousands_is_told_in_the_digest_that_it_brings_about():
    due = [*(fresh(number) for number in range(MAX_ENTRIES)), fresh(MAX_ENTRIES, level=Level.CRITICAL)]

    told = told_at(NOON + MINUTE, *due)

    assert MAX_ENTRIES in told
    assert len(told) == MAX_ENTRIES


def test_what_rides_along_changes_nothing_where_a_digest_is_full():
    due = [fresh(number) for number in range(MAX_ENTRIES)]
    riding = [fresh(MAX_ENTRIES, NOON + MINUTE - SECOND, count=9, level=Level.CRITICAL), known(MAX_ENTRIES + 1)]

    assert turn_of(*due, *riding, now=NOON + MINUTE) == turn_of(*due, now=NOON + MINUTE)


# --- The forecast -----------------------------------------------------------------------------------------------------


def again() -> Group:
    closed = mark_reported(known(1, NOON - 30 * MINUTE), Reason.ENDED, TIMING, NOON)
    return arrive(
        closed, Arrival(mails=3, occurrences=3, first=NOON, last=NOON, level=Level.ERROR, minutes={NOON: 3}), TIMING
    )


@pytest.mark.parametrize(
    ("group", "at", "words"),
    [
        (fresh(1, count=1200), NOON + 10 * SECOND, "new: 1,200 pending, 10 s after the first"),
        (ongoing(1, NOON), NOON + 5 * MINUTE, "ongoing: 1 pending, 5 min after the last report"),
        (again(), NOON + 10 * MINUTE, "again since it ended: 3 pending, at least 10 min after the last report"),
        (
            ongoing(1, NOON + SECOND, count=50),
            NOON + 11 * SECOND,
            "spike: 50 pending, at least 10 times the rate last reported",
        ),
        (
            replace(fresh(1), seen_before=NOON - 48 * HOUR),
            NOON + 10 * SECOND,
            "back after a long quiet: 1 pending, 10 s after the first",
        ),
        (
            known(1, NOON + 10 * SECOND, count=7412),
            NOON + 15 * MINUTE,
            "closing total of 7,412, after 15 min of quiet",
        ),
        (known(1), None, "nothing pending; its closing total (1) rides in another error's digest"),
        (replace(known(1), phase=Phase.ENDED), None, "nothing pending: it has ended"),
        (mute(fresh(1), NOON + HOUR, TIMING), NOON + HOUR, "muted; then: new: 1 pending, 10 s after the first"),
    ],
)
def test_the_forecast_says_when_and_why(group, at, words):
    seen = forecast(group, last_digest_at=None, timing=TIMING, now=NOON)

    assert (seen.at, seen.words) == (at, words)


def test_the_forecast_knows_the_routes_pause():
    seen = forecast(fresh(1), last_digest_at=NOON - MINUTE, timing=TIMING, now=NOON)

    assert seen.at == NOON + 4 * MINUTE
    assert seen.words.endswith("with the route's next digest (at least 5 min after the last one)")


def test_the_forecast_of_a_critical_one_does_not():
    seen = forecast(fresh(1, level=Level.CRITICAL), last_digest_at=NOON - MINUTE, timing=TIMING, now=NOON)

    assert seen.at == NOON + 10 * SECOND


def test_the_plan_has_the_next_one_first_and_what_has_no_turn_last():
    groups = [known(1), ongoing(2, NOON), fresh(3)]

    forecasts = plan(groups, last_digest_at=None, timing=TIMING, now=NOON)

    assert [seen.group.id for seen in forecasts] == [3, 2, 1]


def test_the_next_wake_is_the_first_turn_of_the_plan():
    groups = [known(1), ongoing(2, NOON), fresh(3)]

    assert next_wake(groups, last_digest_at=None, timing=TIMING, now=NOON) == NOON + 10 * SECOND
    assert next_wake([known(1)], last_digest_at=None, timing=TIMING, now=NOON) is None
    assert next_wake([], last_digest_at=None, timing=TIMING, now=NOON) is None


def test_what_the_forecast_says_comes_true():
    """At the forecast moment the group is told, and not a second before."""
    for group in (fresh(1), ongoing(1, NOON), again(), known(1, count=500)):
        seen = forecast(group, last_digest_at=NOON - MINUTE, timing=TIMING, now=NOON)
        assert seen.at is not None
        assert told_at(seen.at - SECOND, group, last=NOON - MINUTE) is None
        assert told_at(seen.at, group, last=NOON - MINUTE) == {1: seen.reason}
