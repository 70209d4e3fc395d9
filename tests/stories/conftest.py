"""Worlds for the stories that need more than the rules."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.story_world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Make worlds that are closed at the end."""
    worlds: list[World] = []

    def make(**tables: Any) -> World:
        worlds.append(World(tmp_path / str(len(worlds)), **tables))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()
