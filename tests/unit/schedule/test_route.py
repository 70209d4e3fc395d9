"""The next digest of a route."""

from dataclasses import replace
from datetime import datetime

import pytest

from relay.model import Group, Level, Reason, RouteState
from relay.schedule.group import mute
from relay.schedule.route import MAX_ENTRIES, DueDigest, after_digest, due_digest, opens_at
from tests.support.scheduled_groups import HOUR, MINUTE, NOON, SECOND, TIMING, fresh, known, ongoing


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
    assert reported_at(NOON + MINUTE, mute(fresh(1), NOON + HOUR, TIMING, now=NOON)) is None


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
