"""Fixtures of the set-up tests: their mark, machines to set up on, and a skip if no package index answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.setup.index import unreachable, write_higher_versions
from tests.setup.locks import LOCKS, pins
from tests.setup.surroundings import Interpreter, Machine, remove

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.setup)


@pytest.fixture
def an_index() -> None:
    """Skip the test if no package index answers."""
    if reason := unreachable():
        pytest.skip(f"no package index answers here: {reason}")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator:
    """Create machines; their set-ups are removed after the test."""
    created: list[Machine] = []

    def create(*pythons: Interpreter) -> Machine:
        created.append(Machine(tmp_path / f"machine {len(created)}", *pythons))
        return created[-1]

    yield create
    remove(each.checkout for each in created)


@pytest.fixture
def higher_versions(tmp_path: Path) -> Path:
    """A folder with a higher version of every locked package."""
    return write_higher_versions(tmp_path / "higher", {pin.name for lock in LOCKS for pin in pins(lock)})
