"""The clock is set wrong (up to a year ahead or back) and corrected: no mail is lost, no flood, no missing digest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from relay.model import Level, Phase
from tests.support.story_world import ANN, World
from tests.support.timetable import at

YEAR, DAY = timedelta(days=365), timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def set_clock(world: World, jump: timedelta) -> None:
    """Move the clock. Scheduled mails move with it, so they still arrive."""
    world.now += jump
    moved = {time + jump: mails for time, mails in world.upcoming.items()}
    world.upcoming = defaultdict(list, moved)


@pytest.mark.parametrize(
    "jump", [YEAR, DAY, -DAY, -YEAR], ids=["a year ahead", "a day ahead", "a day back", "a year back"]
)
def test_clock_set_wrong_during_a_storm_and_corrected_an_hour_later_loses_nothing(world: World, jump: timedelta):
    world.flood(7_200, "0:00", "4:00", every=60)
    world.mail("0:30:05", "pending when it is set")
    world.mail("1:30:05", "pending when it is corrected")
    mails = world.until("0:30:08").get(ANN, [])
    set_clock(world, jump)
    end = world.now + timedelta(hours=1)
    mails += _until(world, end)
    set_clock(world, -jump)
    mails += world.until("9:00").get(ANN, [])

    assert world.reported[ANN] == {"boom": 7_200, "pending when it is set": 1, "pending when it is corrected": 1}
    assert len(mails) <= 20
    books = world.books
    assert (books.received, books.reported, books.balanced) == (7_202, 7_202, True)


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["a year ahead", "a year back"])
def test_new_error_after_the_correction_is_reported_without_delay(world: World, jump: timedelta):
    world.mail("0:00")
    world.until("0:10")
    set_clock(world, jump)
    world.upcoming[world.now].append(("while it was wrong", 1, Level.ERROR, "admins"))
    _until(world, world.now + timedelta(minutes=10))
    set_clock(world, -jump)
    world.mail("0:30", "afterwards")
    mails = world.until("0:40").get(ANN, [])

    assert len(mails) == 1
    assert "new afterwards 1" in mails[0]
    assert at("0:30") <= world.now


def test_error_pending_at_the_correction_is_reported_without_further_mails(world: World):
    """Its due time was a year ahead, and so was that of the closing total of an error reported before."""
    set_clock(world, YEAR)
    world.upcoming[world.now].append(("reported", 200, Level.ERROR, "admins"))
    _until(world, world.now + timedelta(minutes=6))
    world.upcoming[world.now].append(("pending", 3, Level.ERROR, "admins"))
    _until(world, world.now + timedelta(seconds=5))
    set_clock(world, -YEAR)
    mails = world.until("2:00").get(ANN, [])

    assert world.reported[ANN]["pending"] == 3
    assert len(mails) <= 2
    assert (world.books.received, world.books.reported) == (203, 203)
    assert {group.phase for group in world.ledger.groups()} == {Phase.ENDED}


def _until(world: World, end) -> list[str]:
    hours, rest = divmod(int((end - at("0:00")).total_seconds()), 3600)
    return world.until(f"{hours}:{rest // 60:02}:{rest % 60:02}").get(ANN, [])
