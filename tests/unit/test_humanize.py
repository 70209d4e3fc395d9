"""Durations, rates, moments, counts and lists in words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import humanize
from tests.support.digests import NOW

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-3), "less than 1 s"),
        (timedelta(0), "less than 1 s"),
        (timedelta(milliseconds=999), "less than 1 s"),
        (timedelta(milliseconds=1_001), "1 s"),
        (timedelta(seconds=12), "12 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(seconds=119), "119 s"),
        (timedelta(minutes=2), "2 min"),
        (timedelta(minutes=41, seconds=20), "41 min"),
        (timedelta(minutes=59, seconds=50), "1 h"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(hours=48), "2 d"),
        (timedelta(days=3, hours=4, minutes=10), "3 d 4 h"),
    ],
)
def test_duration_has_its_two_largest_units(span, words):
    assert words == humanize.duration(span)


@pytest.mark.parametrize(
    ("per_minute", "words"),
    [
        (1250.4, "1,250/min"),
        (300.0, "300/min"),
        (9.96, "10/min"),
        (2.5, "2.5/min"),
        (2.0, "2/min"),
        (0.2, "12/h"),
        (0.02, "1.2/h"),
        (0.002, "2.9/d"),
        (0.0, "0/d"),
    ],
)
def test_rate_is_given_in_the_most_readable_unit(per_minute, words):
    assert words == humanize.rate(per_minute)


@pytest.mark.parametrize(("now", "before", "arrow"), [(300, 12, "↑"), (300, 0, "↑"), (12, 300, "↓"), (11, 10, "→")])
def test_trend_is_level_within_a_quarter(now, before, arrow):
    assert arrow == humanize.trend(now, before)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", "2026-03-03 14:08:02 CET"),
        ("America/Sao_Paulo", "2026-03-03 10:08:02 UTC-03"),
        ("UTC", "2026-03-03 13:08:02 UTC"),
    ],
)
def test_moment_is_shown_in_the_zone_with_its_name(zone, words):
    assert words == humanize.moment(NOW, ZoneInfo(zone))


def test_moment_follows_daylight_saving():
    assert humanize.moment(datetime(2026, 7, 1, 12, tzinfo=UTC), BERLIN) == "2026-07-01 14:00:00 CEST"


def test_clock_shows_the_date_only_of_another_day():
    before_midnight = datetime(2026, 3, 2, 22, 59, tzinfo=UTC)

    assert humanize.clock(before_midnight, BERLIN, NOW) == "2026-03-02 23:59"
    assert humanize.clock(before_midnight + timedelta(minutes=1), BERLIN, NOW) == "00:00"


def test_blocks_show_none_at_all_lower_than_a_few():
    assert humanize.blocks((0, 1, 350, 700)) == "▁▂▅█"


def test_blocks_of_nothing_lie_flat():
    assert (humanize.blocks((0, 0, 0)), humanize.blocks(())) == ("▁▁▁", "")


@given(st.lists(st.integers(0, 10**9), max_size=60))
def test_blocks_keep_the_order_of_the_counts(counts):
    heights = [humanize.BLOCKS.index(block) for block in humanize.blocks(counts)]

    assert all(
        (a <= b)
        for (a, x) in zip(heights, counts, strict=True)
        for (b, y) in zip(heights, counts, strict=True)
        if x <= y
    )
    assert all((height > 0) == (count > 0) for height, count in zip(heights, counts, strict=True))


@pytest.mark.parametrize(
    ("parts", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listed_joins_with_and(parts, words):
    assert words == humanize.listed(parts)
