"""The texts of one error: counts, spans, rates and reasons."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from relay.compose.item import Item, TextLimits, item
from relay.model import Entry, Reason
from tests.support.digests import NOW, entry

UTC = ZoneInfo("UTC")
SECOND = timedelta(seconds=1)


def shown(of: Entry) -> Item:
    return item(of, place=1, at=NOW, zone=UTC, limits=TextLimits(lines=60, width=1000))


def within(seconds: float, occurrences: int, reason: Reason = Reason.NEW, **fields: float) -> Item:
    """An error with so many occurrences in so many seconds, its whole episode so far."""
    since = NOW - seconds * SECOND
    span = {"since": since, "until": NOW, "episode_since": since, "last_seen": NOW}
    return shown(entry(reason, occurrences, rate=float(occurrences), **span, **fields))


@pytest.mark.parametrize(
    ("seconds", "count", "speed"),
    [
        (0, 3, "3× in less than 1 s"),
        (0.4, 3, "3× in less than 1 s"),
        (6, 42, "42× in 6 s"),
        (59, 42, "42× in 59 s"),
        (60, 42, "42×, 42/min ↑"),
    ],
)
def test_time_of_less_than_a_minute_has_no_rate(seconds, count, speed):
    """42 occurrences in 6 s are neither 42 nor 420 a minute: nobody knows how it goes on."""
    found = within(seconds, count)
    rows = dict(found.news)

    assert found.speed == speed
    assert rows["Count"] == f"{count} in {speed.split(' in ')[1]}" if " in " in speed else "Rate" in rows
    assert ("Rate" in rows) is (seconds >= 60)


def test_single_occurrence_has_neither_span_nor_rate():
    found = within(0, 1)

    assert (found.speed, dict(found.news)["Count"]) == ("1×", "1")
    assert "Rate" not in dict(found.news)


def test_rate_of_the_last_report_is_shown_where_there_is_none_now():
    assert (
        dict(within(6, 3, Reason.ONGOING, rate_before=2.0).news)["Rate"] == "too few seconds for a rate (before: 2/min)"
    )


@pytest.mark.parametrize(
    ("seconds", "why", "rate"),
    [
        (6, "ended: 120 in 6 s", "now none"),
        (120, "ended: 120 in 2 min, peak 60/min", "60/min on average, peak 60/min, now none"),
    ],
)
def test_closing_total_of_some_seconds_has_neither_average_nor_peak(seconds, why, rate):
    found = within(seconds, 120, Reason.ENDED, episode_occurrences=120, peak=60)

    assert (found.why, dict(found.news)["Rate"]) == (why, rate)


def test_new_error_was_in_no_digest_before():
    """Its total may be larger all the same: what came during a mute."""
    assert dict(within(120, 5, total_occurrences=9).news)["Count"] == "5 in 2 min, 9 in all"


def test_closing_total_says_how_much_was_muted():
    found = within(600, 0, Reason.ENDED, episode_occurrences=1_312, episode_muted=312)

    assert dict(found.news)["Muted"] == "312 of 1,312"
    assert "Muted" not in dict(within(600, 5, Reason.ONGOING, episode_muted=312).news)


def test_spike_that_ended_a_mute_says_which_rate_it_exceeded():
    assert within(600, 51, Reason.SPIKE, exceeded=50).why == "spike: more than 50 an hour, so its mute is over"
