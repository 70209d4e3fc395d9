"""Random mails and faults in any order: after enough time every mail is reported exactly once."""

import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import NEWS, Level
from tests.support.story_world import ANN, BOB, World
from tests.support.timetable import BEGIN, SECOND, Timetable, clock

TITLES = ("boom", "other", "third")


def times(hours: int):
    """Times in the first hours of the story, as `H:MM:SS`."""
    return st.integers(0, hours * 3600).map(lambda second: clock(BEGIN + second * SECOND))


def mails(hours: int):
    return st.tuples(times(hours), st.sampled_from(TITLES), st.integers(1, 400), st.sampled_from(list(Level)))


def summed(arrivals):
    totals = dict.fromkeys(TITLES, 0)
    for _, title, count, _ in arrivals:
        totals[title] += count
    return {title: count for title, count in totals.items() if count}


@settings(deadline=None, max_examples=150)
@given(st.lists(mails(72), max_size=60))
def test_scheduler_alone_loses_nothing(arrivals):
    """Three errors at random times in three days; a day later everything is reported."""
    story = Timetable()
    for time, title, count, level in arrivals:
        story.mail(time, title, count, level)

    story.until("100:00")

    assert {title: count for title, count in story.reported.items() if count} == summed(arrivals)
    assert not any(group.pending_mails for group in story.groups.values())


@settings(deadline=None, max_examples=150)
@given(st.lists(mails(72), max_size=60))
def test_digests_without_news_are_five_minutes_apart_and_gaps_between_news_grow(arrivals):
    """Where no error is CRITICAL. Six digests with news take at least 10 s + 30 s + 1 min + 2 min + 5 min."""
    story = Timetable()
    for time, title, count, _ in arrivals:
        story.mail(time, title, count)

    digests = [(_seconds(line), any(f"{news} " in line for news in NEWS)) for line in story.until("100:00")]
    news = [at for at, carries_news in digests if carries_news]

    assert all(later - earlier >= 300 for (earlier, _), (later, carries_news) in pairwise(digests) if not carries_news)
    assert all(later - earlier >= 10 for earlier, later in pairwise(news))
    assert all(last - first >= 520 for first, last in zip(news, news[5:], strict=False))


def _seconds(line: str) -> int:
    hours, minutes, seconds = (int(part) for part in line.split(maxsplit=1)[0].split(":"))
    return 3600 * hours + 60 * minutes + seconds


faults = st.one_of(
    st.tuples(st.just("down"), st.booleans()),
    st.tuples(st.just("greylists"), st.sets(st.sampled_from((ANN, BOB)))),
    st.tuples(st.just("lags"), st.booleans()),
)


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(mails(8), min_size=1, max_size=25),
    st.lists(st.tuples(times(8), faults), max_size=12),
    st.booleans(),
)
def test_worker_loses_nothing_whatever_upstream_recipients_and_budget_do(arrivals, events, poor):
    """Random mails, upstream outages, greylisted recipients and an ingest step that lags; then no more faults."""
    with tempfile.TemporaryDirectory() as folder:
        budget = {"per_hour": 1, "burst": 2, "per_day": 20} if poor else {}
        world = World(Path(folder), admins=(ANN, BOB), budget=budget)
        for time, title, count, level in arrivals:
            world.mail(time, title, count, level=level)
        for time, (what, how) in sorted(events, key=lambda event: _seconds(event[0])):
            world.until(time)
            _apply(world, what, how)
            assert world.books.balanced
        for what, how in (("down", False), ("greylists", set()), ("lags", False)):
            _apply(world, what, how)

        world.until("40:00")

        assert world.reported[ANN] == world.reported[BOB] == summed(arrivals)
        assert world.books.received == world.books.reported == sum(count for _, _, count, _ in arrivals)
        assert world.books.balanced
        world.close()


def _apply(world: World, what: str, how) -> None:
    match what:
        case "down":
            world.upstream.down = how
        case "greylists":
            world.upstream.greylists = set(how)
        case "lags":
            world.caught_up = not how
