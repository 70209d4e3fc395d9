"""Run a state machine of Hypothesis on a new ledger for each example: in an SQLite file, or in PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from relay.ledger import sqlite_url


class LedgerMachine(RuleBasedStateMachine):
    """A state machine that opens its ledger at `new_url()`."""

    @staticmethod
    def new_url() -> str:
        raise NotImplementedError


def run_on_sqlite(machine: type[LedgerMachine], folder: Path, *, steps: int) -> None:
    """Run examples of so many steps, each on a new file below `folder`. Raises the first failure."""
    _run(machine, lambda: sqlite_url(folder / secrets.token_hex(8) / "ledger.db"), steps)


def run_on_postgres(machine: type[LedgerMachine], emptied_database: Callable[[], str], *, steps: int) -> None:
    """Run examples of so many steps, each on the emptied database. Raises the first failure."""
    _run(machine, emptied_database, steps)


def _run(machine: type[LedgerMachine], new_url: Callable[[], str], steps: int) -> None:
    on_ledger = type(machine.__name__, (machine,), {"new_url": staticmethod(new_url)})
    every = list(HealthCheck)
    run_state_machine_as_test(
        on_ledger,
        settings=settings(max_examples=15, stateful_step_count=steps, deadline=None, suppress_health_check=every),
    )
