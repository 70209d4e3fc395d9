"""The clock is set: a year ahead, a day back, and right again. Nothing is lost, no flood comes, nobody falls silent."""

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
    """Move the clock; mails that were to come still come, so much later or sooner on it."""
    world.now += jump
    coming = {moment + jump: mails for moment, mails in world._coming.items()}
    world._coming = defaultdict(list, coming)


@pytest.mark.parametrize(
    "jump", [YEAR, DAY, -DAY, -YEAR], ids=["a year ahead", "a day ahead", "a day back", "a year back"]
)
def test_set_in_the_middle_of_a_storm_and_set_right_an_hour_later(world: World, jump: timedelta):
    world.flood(7_200, "0:00", "4:00", every=60)
    world.mail("0:30:05", "pending when it is set")
    world.mail("1:30:05", "pending when it is set right")
    mails = world.until("0:30:08").get(ANN, [])
    set_clock(world, jump)
    end = world.now + timedelta(hours=1)
    mails += _until(world, end)
    set_clock(world, -jump)
    mails += world.until("9:00").get(ANN, [])

    assert world.told[ANN] == {"boom": 7_200, "pending when it is set": 1, "pending when it is set right": 1}
    assert len(mails) <= 20
    books = world.books
    assert (books.received, books.reported, books.balanced) == (7_202, 7_202, True)


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["a year ahead", "a year back"])
def test_new_error_after_it_was_set_right_is_told_as_soon_as_ever(world: World, jump: timedelta):
    world.mail("0:00")
    world.until("0:10")
    set_clock(world, jump)
    world._coming[world.now].append(("while it was wrong", 1, Level.ERROR, "admins"))
    _until(world, world.now + timedelta(minutes=10))
    set_clock(world, -jump)
    world.mail("0:30", "afterwards")
    mails = world.until("0:40").get(ANN, [])

    assert len(mails) == 1
    assert "new afterwards 1" in mails[0]
    assert at("0:30") <= world.now


def test_what_was_pending_when_it_was_set_right_is_told_though_nothing_more_comes(world: World):
    """Its turn was dated a year ahead; so was the error's that had been told by then, whose closing total is due."""
    set_clock(world, YEAR)
    world._coming[world.now].append(("told", 200, Level.ERROR, "admins"))
    _until(world, world.now + timedelta(minutes=6))
    world._coming[world.now].append(("pending", 3, Level.ERROR, "admins"))
    _until(world, world.now + timedelta(seconds=5))
    set_clock(world, -YEAR)
    mails = world.until("2:00").get(ANN, [])

    assert world.told[ANN]["pending"] == 3
    assert len(mails) <= 2
    assert (world.books.received, world.books.reported) == (203, 203)
    assert {group.phase for group in world.ledger.groups()} == {Phase.ENDED}


def _until(world: World, end) -> list[str]:
    hours, rest = divmod(int((end - at("0:00")).total_seconds()), 3600)
    return world.until(f"{hours}:{rest // 60:02}:{rest % 60:02}").get(ANN, [])
