"""Query plans: each query of a tick uses an index, and none scans all groups or messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from relay.ledger import Ledger
from relay.model import Phase
from tests.support.ledger_world import ADA, BOB, NOON, ROUTE, SENT, TTL, enqueue_pending, ingest, lease_token, send

SMALL = ("groups_pending", "letters_open", "deliveries_held", "deliveries_queued")
"""Indexes that hold only what there is to do; a sum over it goes through all of it."""
LARGE = ("groups", "counts", "samples", "records", "letters", "deliveries", "entries", "bodies", "members", "audit")


@contextmanager
def statements(ledger: Ledger) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database inside, with its values."""
    asked: list[tuple[str, Any]] = []

    def note(_connection, _cursor, statement, values, _context, many):
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE")) and "pg_" not in statement:
            asked.append((statement, values))

    engine = ledger._backend.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def plan(ledger: Ledger, statement: str, values: Any) -> list[str]:
    """The steps of the plan, one a line."""
    with ledger._read() as connection:
        if connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return [row.detail for row in rows]
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # small tables are walked through by choice
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]


def walks(steps: list[str]) -> list[str]:
    """The steps that walk through a large table, or through an index of it without a bound."""
    return [
        step
        for step in steps
        for table in LARGE
        if step.startswith(f"SCAN {table}") or f"Seq Scan on {table}" in step
        if not step.endswith(tuple(f" INDEX {index}" for index in SMALL))
    ]


def tick(ledger: Ledger) -> None:
    with ledger.digesting("schedule", lease_token(ledger)) as tx:
        tx.due_groups(NOON)
        tx.pending_groups(ROUTE)
        tx.pending_groups(ROUTE, phase=Phase.FRESH)
        tx.quiet_groups(ROUTE, NOON)
        tx.route_state(ROUTE)
        tx.ended_mutes(ROUTE, NOON, limit=10)
        tx.free_recipients(ROUTE, [ADA, BOB])
        tx.budgets([ADA, BOB])
        tx.deferred_recipients()
        tx.deferred_messages(ROUTE, BOB)
        tx.entries(["x"])
        tx.dead_totals(ROUTE)
        tx.books(NOON)
        tx.first_message_id(1)
        tx.samples([1])
        tx.timelines({1: NOON}, NOON)
        tx.merges.strays(limit=10)
        tx.merges.members(1)
        tx.merges.face(2)
        tx.steered(ROUTE, NOON, actions=["merge"], limit=10)
    ledger.claim_message("worker", NOON, TTL)
    ledger.next_due_at()
    ledger.has_deferred()
    ledger.next_try_at()
    ledger.delayed()
    ledger.books(NOON)


def sort_one(ledger: Ledger) -> None:
    ingest(ledger, {"a": 1})


def send_one(ledger: Ledger) -> None:
    send(ledger, SENT)


@pytest.mark.parametrize("step", [tick, sort_one, enqueue_pending, send_one])
def test_no_step_walks_through_a_large_table(ledger: Ledger, step):
    ingest(ledger, {"a": 2, "b": 1})
    if step is not enqueue_pending:
        enqueue_pending(ledger, [ADA], [BOB])
    with statements(ledger) as asked:
        step(ledger)

    assert asked
    bad = {statement: wrong for statement, values in asked if (wrong := walks(plan(ledger, statement, values)))}
    assert bad == {}


def test_plan_of_a_walk_is_recognised(ledger: Ledger):
    """The test above can fail."""
    with statements(ledger) as asked:
        ledger.groups(text="x")

    assert [walks(plan(ledger, statement, values)) != [] for statement, values in asked] == [True]
