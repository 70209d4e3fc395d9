"""The life cycle of one group, rule by rule. tests/stories shows how the rules work together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model import Arrival, Fingerprint, Group, Level, Phase, Reason, Timing
from relay.schedule.group import arrive, due, mark_reported, mute, open_group, rate, reason, split_off, unmute
from relay.schedule.mutes import forget, is_muted, is_over

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMING = Timing()
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def mails(first: datetime, count: int = 1, *, last: datetime | None = None, level: Level = Level.ERROR) -> Arrival:
    last = last or first
    minute = last.replace(second=0, microsecond=0)
    return Arrival(mails=count, occurrences=count, first=first, last=last, level=level, minutes={minute: count})


def seen(arrival: Arrival) -> Group:
    error = Fingerprint(version=3, key="k", title="Boom")
    return arrive(open_group(route="admins", app="shop", fingerprint=error, arrival=arrival), arrival, TIMING)


def reported(at: datetime = NOON, *, count: int = 1, why: Reason = Reason.NEW) -> Group:
    """A group that was first reported at `at`, ten seconds after its first mail."""
    return mark_reported(seen(mails(at - 10 * SECOND, count)), why, TIMING, at)


# --- A new error ------------------------------------------------------------------------------------------------------


def test_new_group_takes_its_fields_from_the_first_arrival_and_counts_it_once():
    arrival = Arrival(mails=2, occurrences=30, first=NOON, last=NOON + SECOND, level=Level.WARNING, minutes={NOON: 30})

    group = seen(arrival)

    assert (group.route, group.app, group.fingerprint, group.version, group.title) == ("admins", "shop", "k", 3, "Boom")
    assert (group.mails, group.occurrences, group.pending_mails, group.pending_occurrences) == (2, 30, 2, 30)
    assert (group.first_seen, group.last_seen, group.pending_since) == (NOON, NOON + SECOND, NOON)
    assert (group.episode_since, group.episode_occurrences, group.level) == (NOON, 30, Level.WARNING)
    assert group.phase is Phase.FRESH


def test_new_error_is_due_first_wait_after_its_first_mail():
    group = arrive(seen(mails(NOON)), mails(NOON + 9 * SECOND, 500), TIMING)

    assert group.due_at == NOON + 10 * SECOND


def test_new_error_is_included_early_before_it_is_due():
    assert reason(seen(mails(NOON)), TIMING, NOON + SECOND) is Reason.NEW


def test_after_the_first_report_nothing_is_pending_and_the_group_is_open():
    group = reported(count=3)

    assert (group.pending_mails, group.pending_occurrences, group.pending_since) == (0, 0, None)
    assert (group.phase, group.step, group.reported_at, group.reported_rate) == (Phase.OPEN, 0, NOON, 3.0)
    assert group.due_at is None


# --- An ongoing error -------------------------------------------------------------------------------------------------


def test_each_report_makes_the_next_gap_longer_and_the_last_gap_repeats():
    group, gaps, now = reported(), [], NOON
    for _ in range(8):
        group = arrive(group, mails(now + SECOND), TIMING)
        assert group.due_at is not None
        gaps.append(group.due_at - now)
        now = group.due_at
        group = mark_reported(group, Reason.ONGOING, TIMING, now)

    assert gaps == [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, 4 * HOUR, 4 * HOUR]


def test_ongoing_error_is_not_included_early():
    group = arrive(reported(), mails(NOON + MINUTE), TIMING)

    assert reason(group, TIMING, NOON + 4 * MINUTE) is None
    assert reason(group, TIMING, NOON + 5 * MINUTE) is Reason.ONGOING


def test_mail_after_the_gap_has_passed_waits_for_first_wait_only():
    group = arrive(reported(), mails(NOON + HOUR), TIMING)

    assert group.due_at == NOON + HOUR + 10 * SECOND


def test_step_beyond_the_configured_gaps_uses_the_last_gap():
    group = arrive(replace(reported(), step=5), mails(NOON + SECOND), Timing(steps=(MINUTE, 2 * MINUTE)))

    assert group.due_at == NOON + 2 * MINUTE


def test_episode_begins_with_its_first_mail():
    group = arrive(reported(), mails(NOON + HOUR, 5), TIMING)

    assert (group.episode_since, group.episode_occurrences) == (NOON - 10 * SECOND, 6)


def test_mail_that_arrives_late_moves_the_beginning_of_the_episode_back():
    group = arrive(seen(mails(NOON)), mails(NOON - HOUR), TIMING)

    assert (group.first_seen, group.last_seen) == (NOON - HOUR, NOON)
    assert (group.episode_since, group.pending_since) == (NOON - HOUR, NOON - HOUR)


def test_worst_pending_level_is_kept_until_it_is_reported():
    group = arrive(reported(), mails(NOON + MINUTE, level=Level.CRITICAL), TIMING)
    group = arrive(group, mails(NOON + 2 * MINUTE, level=Level.WARNING), TIMING)
    assert group.level is Level.CRITICAL

    group = mark_reported(group, Reason.ONGOING, TIMING, NOON + 5 * MINUTE)
    group = arrive(group, mails(NOON + 6 * MINUTE, level=Level.WARNING), TIMING)
    assert group.level is Level.WARNING


# --- A spike ----------------------------------------------------------------------------------------------------------


def long_gap(rate_before: float) -> Group:
    """A group whose next report is an hour away, last reported at this rate."""
    return replace(reported(), reported_rate=rate_before, step=4)


def test_spike_of_ten_times_the_rate_is_due_at_once():
    group = arrive(long_gap(2.0), mails(NOON + 6 * MINUTE, 20), TIMING)

    assert group.due_at == NOON + 6 * MINUTE + 10 * SECOND
    assert reason(group, TIMING, group.due_at) is Reason.SPIKE


def test_spike_is_not_due_within_the_interval_after_the_last_report():
    """While a rate rises, each report would find another spike."""
    group = arrive(long_gap(2.0), mails(NOON + MINUTE, 20), TIMING)

    assert group.due_at == NOON + TIMING.interval
    assert reason(group, TIMING, group.due_at) is Reason.SPIKE


@pytest.mark.parametrize(
    ("rate_before", "count", "why"),
    [
        (2.1, 20, "less than ten times"),
        (0.1, 19, "fewer than twenty"),
    ],
)
def test_smaller_increase_waits_for_the_gap(rate_before, count, why):
    group = arrive(long_gap(rate_before), mails(NOON + MINUTE, count), TIMING)

    assert group.due_at == NOON + HOUR, why


def test_rate_is_over_the_whole_window_and_at_least_one_minute():
    assert rate(20, NOON, NOON + SECOND) == 20.0
    assert rate(20, NOON, NOON + 10 * MINUTE) == 2.0


def test_rate_of_a_negative_window_is_over_one_minute():
    assert rate(20, NOON, NOON - HOUR) == 20.0


# --- The end ----------------------------------------------------------------------------------------------------------


def test_large_episode_gets_a_closing_total_after_ended_after_of_quiet():
    group = reported(count=100)

    assert group.due_at == group.last_seen + 15 * MINUTE
    assert reason(group, TIMING, group.due_at - SECOND) is None
    assert reason(group, TIMING, group.due_at) is Reason.ENDED


def test_small_episode_has_no_due_closing_total_but_is_included_early():
    group = reported(count=99)

    assert group.due_at is None
    assert reason(group, TIMING, group.last_seen + 15 * MINUTE) is Reason.ENDED


def test_nothing_ends_while_the_worker_lags_behind_its_spool():
    group = reported(count=100)

    assert reason(group, TIMING, NOON + HOUR, caught_up=False) is None


def test_large_episode_that_ends_with_mails_pending_does_not_wait_for_its_gap():
    group = replace(reported(count=100), step=5)
    group = arrive(group, mails(NOON + MINUTE, 7), TIMING)

    assert group.due_at == NOON + 16 * MINUTE
    assert reason(group, TIMING, group.due_at) is Reason.ENDED


def test_after_the_closing_total_nothing_is_due():
    group = mark_reported(reported(count=100), Reason.ENDED, TIMING, NOON + 15 * MINUTE)

    assert (group.phase, group.due_at) == (Phase.ENDED, None)
    assert reason(group, TIMING, NOON + HOUR) is None


def test_first_report_of_an_error_that_is_already_quiet_is_also_its_closing_total():
    """A budget or an outage delayed the report. A second mail to say that the error had ended is not needed."""
    group = mark_reported(seen(mails(NOON, 500)), Reason.NEW, TIMING, NOON + HOUR)

    assert (group.phase, group.due_at) == (Phase.ENDED, None)


def test_closing_total_with_nothing_pending_keeps_the_last_reported_rate():
    assert mark_reported(reported(count=100), Reason.ENDED, TIMING, NOON + HOUR).reported_rate == 100.0


# --- A new episode ----------------------------------------------------------------------------------------------------


def ended(at: datetime = NOON) -> Group:
    return mark_reported(reported(at - 15 * MINUTE, count=100), Reason.ENDED, TIMING, at)


def test_error_seen_again_begins_a_new_episode_at_its_step():
    before = ended()
    group = arrive(before, mails(NOON + MINUTE, 5), TIMING)

    assert group.seen_before == before.last_seen
    assert (group.again, group.step, group.episode_since, group.episode_occurrences) == (True, 1, NOON + MINUTE, 5)
    assert group.due_at == NOON + 10 * MINUTE
    assert reason(group, TIMING, group.due_at) is Reason.AGAIN
    assert mark_reported(group, Reason.AGAIN, TIMING, group.due_at).phase is Phase.OPEN


def test_quiet_of_exactly_ended_after_ends_the_episode():
    before = ended()

    assert arrive(before, mails(before.last_seen + 15 * MINUTE), TIMING).again


def test_critical_error_seen_again_is_due_at_once():
    group = arrive(ended(), mails(NOON + MINUTE, level=Level.CRITICAL), TIMING)

    assert (group.again, group.due_at) == (True, NOON + MINUTE + 10 * SECOND)


def test_error_seen_again_after_its_gap_waits_for_first_wait_only():
    group = arrive(ended(), mails(NOON + 5 * HOUR), TIMING)

    assert group.due_at == NOON + 5 * HOUR + 10 * SECOND


def test_error_seen_again_is_not_included_early():
    group = arrive(ended(), mails(NOON + MINUTE), TIMING)

    assert reason(group, TIMING, NOON + 2 * MINUTE) is None


def test_error_seen_after_a_day_of_quiet_is_back():
    before = ended()
    group = arrive(before, mails(before.last_seen + DAY, 5), TIMING)

    assert (group.phase, group.step, group.seen_before, group.again) == (Phase.FRESH, 0, before.last_seen, False)
    assert group.due_at == before.last_seen + DAY + 10 * SECOND
    assert reason(group, TIMING, group.due_at) is Reason.BACK


def test_error_seen_a_second_before_back_after_is_again():
    before = ended()

    assert arrive(before, mails(before.last_seen + DAY - SECOND), TIMING).again


def test_small_episode_without_a_closing_total_is_back_after_a_day_too():
    before = reported(count=3)

    assert arrive(before, mails(NOON + 2 * DAY), TIMING).seen_before == before.last_seen


def test_error_seen_after_an_unreported_quiet_period_is_ongoing():
    """The closing total of a small episode waits for another digest. Until it is reported the episode is not over."""
    group = arrive(reported(count=3), mails(NOON + 3 * HOUR, 2), TIMING)

    assert (group.phase, group.again, group.episode_occurrences) == (Phase.OPEN, False, 5)
    assert reason(group, TIMING, NOON + 3 * HOUR + 10 * SECOND) is Reason.ONGOING


def test_no_episode_begins_while_the_last_one_is_still_pending():
    """The upstream was down for two days: all pending mails are reported as one episode."""
    group = arrive(reported(), mails(NOON + MINUTE, 2), TIMING)
    group = arrive(group, mails(NOON + 2 * DAY, 3), TIMING)

    assert (group.phase, group.pending_occurrences, group.pending_since) == (Phase.OPEN, 5, NOON + MINUTE)


def test_closing_total_reported_too_early_does_not_end_the_episode():
    """The next mail, a minute later, was still in the backlog."""
    before = ended()
    group = arrive(before, mails(before.last_seen + MINUTE), TIMING)

    assert (group.phase, group.again, group.episode_occurrences) == (Phase.OPEN, False, 101)


# --- The peak ---------------------------------------------------------------------------------------------------------


def test_peak_is_the_busiest_minute_across_arrivals():
    first = Arrival(mails=5, occurrences=5, first=NOON, last=NOON + 59 * SECOND, level=Level.ERROR, minutes={NOON: 5})
    both = {NOON: 4, NOON + MINUTE: 6}
    second = Arrival(
        mails=10, occurrences=10, first=NOON + 59 * SECOND, last=NOON + MINUTE, level=Level.ERROR, minutes=both
    )

    group = arrive(seen(first), second, TIMING)

    assert (group.peak, group.minute, group.minute_occurrences) == (9, NOON + MINUTE, 6)


def test_late_minute_counts_for_the_peak_and_keeps_the_running_minute():
    late = Arrival(mails=8, occurrences=8, first=NOON, last=NOON, level=Level.ERROR, minutes={NOON - HOUR: 8})

    group = arrive(arrive(seen(mails(NOON, 3)), late, TIMING), mails(NOON + SECOND, 4), TIMING)

    assert (group.peak, group.minute, group.minute_occurrences) == (8, NOON, 7)


def test_new_episode_has_a_new_peak():
    assert arrive(ended(), mails(NOON + HOUR, 2), TIMING).peak == 2


# --- Muted ------------------------------------------------------------------------------------------------------------


def test_mails_while_muted_add_to_the_totals_and_the_episode_and_are_not_pending():
    group = mute(reported(), NOON + 2 * HOUR, TIMING, now=NOON)
    after = arrive(group, mails(NOON + HOUR, 500), TIMING)

    assert (after.mails, after.occurrences, after.last_seen) == (501, 501, NOON + HOUR)
    assert (after.muted_since, after.muted_mails, after.muted_occurrences) == (NOON, 500, 500)
    assert (after.episode_occurrences, after.episode_muted, after.peak) == (501, 500, 500)
    assert (after.phase, after.pending_mails, after.pending_since) == (Phase.OPEN, 0, None)


def test_pending_mails_are_reported_when_the_mute_ends():
    group = mute(seen(mails(NOON)), NOON + 2 * HOUR, TIMING, now=NOON)

    assert group.due_at == NOON + 2 * HOUR
    assert reason(group, TIMING, NOON + 2 * HOUR - SECOND) is None
    assert reason(group, TIMING, NOON + 2 * HOUR) is Reason.NEW


def test_unmuted_group_is_due_as_before():
    group = unmute(mute(seen(mails(NOON)), NOON + 2 * HOUR, TIMING, now=NOON), TIMING, NOON)

    assert group == seen(mails(NOON))


def test_mute_holds_until_its_end():
    group = mute(reported(), NOON + HOUR, TIMING, now=NOON)

    assert is_muted(group, NOON + HOUR - SECOND)
    assert not is_muted(group, NOON + HOUR)


# --- Wrong clocks, random arrivals ------------------------------------------------------------------------------------


def test_report_dated_in_the_future_delays_mails_by_the_last_gap_at_most():
    """The clock was a year ahead when the last digest went out, and has been corrected."""
    group = arrive(replace(reported(), reported_at=NOON + 365 * DAY), mails(NOON), TIMING)

    assert group.due_at == NOON + 4 * HOUR


times = st.timedeltas(min_value=-3 * DAY, max_value=3 * DAY).map(lambda span: NOON + span)
arrivals = st.builds(mails, times, st.integers(1, 300))


@given(st.lists(st.tuples(arrivals, st.one_of(st.none(), times)), min_size=1, max_size=20))
def test_pending_mails_are_always_due_and_counts_exact_whatever_the_clock_does(steps):
    """Arrivals and digests at times in any order."""
    group, reported_total, last_step = seen(steps[0][0]), 0, TIMING.steps[-1]
    for arrival, digest_at in steps[1:]:
        group = arrive(group, arrival, TIMING)
        assert group.pending_since is not None
        assert group.due_at is not None
        assert group.pending_since + TIMING.first_wait <= group.due_at <= group.pending_since + last_step
        if digest_at and (why := reason(group, TIMING, digest_at)):
            reported_total += group.pending_occurrences
            group = mark_reported(group, why, TIMING, digest_at)
        assert group.due_at == due(group, TIMING)

    assert reported_total + group.pending_occurrences == group.occurrences == sum(item.occurrences for item, _ in steps)


# --- A part of a known error (split_off) ------------------------------------------------------------------------------


def test_part_of_an_ongoing_error_is_due_when_the_whole_error_would_be():
    parent = reported()
    part = arrive(part_of(parent, NOON + MINUTE), mails(NOON + MINUTE, 3), TIMING)
    whole = arrive(parent, mails(NOON + MINUTE, 3), TIMING)

    assert part.due_at is not None
    assert part.due_at == whole.due_at
    assert reason(part, TIMING, part.due_at) is reason(whole, TIMING, whole.due_at) is Reason.ONGOING
    assert (part.mails, part.pending_mails, part.episode_occurrences, part.first_seen) == (3, 3, 3, NOON + MINUTE)


@pytest.mark.parametrize("quiet", [HOUR, 25 * HOUR])
def test_part_of_an_ended_error_is_due_when_the_whole_error_would_be(quiet):
    ended = mark_reported(reported(), Reason.ENDED, TIMING, NOON + HOUR)
    came = ended.last_seen + quiet
    part, whole = (arrive(group, mails(came), TIMING) for group in (part_of(ended, came), ended))

    assert part.due_at is not None
    assert part.due_at == whole.due_at
    assert reason(part, TIMING, part.due_at) is reason(whole, TIMING, whole.due_at)
    assert part.seen_before == whole.seen_before == ended.last_seen


def test_part_of_an_unreported_error_is_new():
    parent = seen(mails(NOON, 5))
    part = arrive(part_of(parent, NOON + SECOND), mails(NOON + SECOND), TIMING)

    assert part.due_at is not None
    assert reason(part, TIMING, part.due_at) is Reason.NEW


def test_part_of_a_muted_error_is_muted():
    assert is_muted(part_of(mute(reported(), NOON + HOUR, TIMING, now=NOON), NOON + MINUTE), NOON + MINUTE)


def part_of(parent: Group, at: datetime) -> Group:
    found = Fingerprint(version=2, key="part", title="part")
    return split_off(parent, fingerprint=found, arrival=mails(at))


# --- Mute until it exceeds a rate -------------------------------------------------------------------------------------


def above(limit: int, until: datetime | None = None) -> Group:
    """A reported group that is muted until it exceeds `limit` an hour (or until `until`)."""
    return mute(reported(), until, TIMING, now=NOON, above=limit)


def test_error_below_the_rate_stays_muted_without_a_time_limit():
    group = arrive(above(50), mails(NOON + 72 * HOUR, 50), TIMING)

    assert is_muted(group, NOON + 1000 * HOUR)
    assert (group.pending_mails, group.muted_occurrences, group.due_at) == (0, 50, None)


def test_arrival_that_exceeds_the_rate_ends_the_mute_and_is_a_spike():
    """It is reported within seconds, although its next report would have come hours later."""
    group = arrive(replace(above(50), step=5), mails(NOON + MINUTE, 30), TIMING)
    group = arrive(group, mails(NOON + 10 * MINUTE, 21), TIMING, last_hour=30)

    assert not is_muted(group, NOON + 10 * MINUTE)
    assert (group.pending_occurrences, group.muted_occurrences) == (21, 30)
    assert group.due_at == NOON + 10 * MINUTE + TIMING.first_wait
    assert reason(group, TIMING, group.due_at) is Reason.SPIKE


def test_occurrences_before_the_mute_do_not_count_for_its_rate():
    group = arrive(above(50), mails(NOON + MINUTE), TIMING, last_hour=7_000)

    assert is_muted(group, NOON + MINUTE)


def test_occurrences_of_an_hour_ago_do_not_count_for_the_rate():
    """Fifty in each of two hours never exceed fifty an hour."""
    group = arrive(above(50), mails(NOON + MINUTE, 50), TIMING)
    group = arrive(group, mails(NOON + 2 * HOUR, 50), TIMING, last_hour=0)

    assert is_muted(group, NOON + 2 * HOUR)


def test_backlog_of_many_hours_is_counted_by_its_last_hour():
    minutes = {NOON + number * MINUTE: 1 for number in range(1, 200)}
    end = NOON + 199 * MINUTE
    arrival = Arrival(mails=199, occurrences=199, first=NOON, last=end, level=Level.ERROR, minutes=minutes)

    assert is_muted(arrive(above(60), arrival, TIMING), end)
    assert not is_muted(arrive(above(58), arrival, TIMING), end)


def test_mute_with_a_rate_and_a_time_ends_with_the_first_of_them():
    group = above(50, NOON + HOUR)

    assert is_muted(group, NOON + HOUR - SECOND)
    assert not is_muted(group, NOON + HOUR)
    assert not is_muted(arrive(group, mails(NOON + MINUTE, 51), TIMING), NOON + MINUTE)


def test_part_of_an_error_that_is_muted_until_it_exceeds_a_rate_is_muted_too():
    assert is_muted(part_of(above(50), NOON + MINUTE), NOON + 72 * HOUR)


def test_report_of_the_end_of_a_mute_forgets_the_mute_and_keeps_its_count_in_the_episode():
    group = forget(arrive(above(5), mails(NOON + MINUTE, 5), TIMING))

    assert (group.muted_since, group.mute_above, group.muted_occurrences) == (None, None, 0)
    assert group.episode_muted == 5


def test_unmute_of_what_was_muted_is_reported_and_of_nothing_is_not():
    some = unmute(arrive(above(5), mails(NOON + MINUTE, 5), TIMING), TIMING, NOON + HOUR)
    nothing = unmute(above(5), TIMING, NOON + HOUR)

    assert is_over(some, NOON + HOUR)
    assert not is_over(nothing, NOON + HOUR)
    assert not is_muted(nothing, NOON)


def test_end_of_a_mute_is_not_due_by_itself_even_after_a_large_episode():
    group = mute(replace(reported(), episode_occurrences=5_000), NOON + HOUR, TIMING, now=NOON)
    group = arrive(group, mails(NOON + MINUTE, 400), TIMING)

    assert due(group, TIMING) is None
    assert reason(group, TIMING, NOON + 2 * HOUR) is Reason.ENDED, "but any digest includes its closing total"
