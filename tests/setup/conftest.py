"""What the tests of the set-up share: their mark, machines to set up on, and a reason where no index answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.setup.index import silence, write_higher_versions
from tests.setup.locks import LOCKS, pins
from tests.setup.surroundings import Interpreter, Machine, remove

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.setup)


@pytest.fixture
def an_index() -> None:
    """Skips the test where no package index answers."""
    if reason := silence():
        pytest.skip(f"no package index answers here: {reason}")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator:
    """Makes machines; what was set up on them is removed with the test."""
    made: list[Machine] = []

    def make(*pythons: Interpreter) -> Machine:
        made.append(Machine(tmp_path / f"machine {len(made)}", *pythons))
        return made[-1]

    yield make
    remove(each.checkout for each in made)


@pytest.fixture
def higher_versions(tmp_path: Path) -> Path:
    """A folder with a higher version of every locked package."""
    return write_higher_versions(tmp_path / "higher", {pin.name for lock in LOCKS for pin in pins(lock)})
