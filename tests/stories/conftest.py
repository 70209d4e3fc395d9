"""The fixture for stories that need the ledger, the renderer and the outbox."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.story_world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Return a function that makes worlds; all of them are closed at the end."""
    worlds: list[World] = []

    def make(**tables: Any) -> World:
        worlds.append(World(tmp_path / str(len(worlds)), **tables))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()
