"""A process that dies anywhere leaves the ledger as if it had never begun, or as if it had finished.

Each operation is done by a forked process that ends itself (`os._exit`) before its first statement, then one before
its second, and so on, the commit counted as one, until one process comes to its end.
"""

import itertools
import os
import warnings
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from relay.ledger import Ledger
from relay.model import Delivery
from tests.support.ledger_world import (
    ADA,
    BOB,
    DAY,
    NOON,
    SENT,
    SPOOL,
    catch_up,
    enqueue_pending,
    figures,
    ingest,
    key,
    more,
    send,
)

LONG_LOCK_TIMEOUT = timedelta(seconds=60)
DIED = 9


def prepare_nothing(_ledger: Ledger) -> None:
    """Nothing was there before."""


def prepare_pending(ledger: Ledger) -> None:
    ingest(ledger, {"a": 3, "b": 2})


def prepare_held(ledger: Ledger) -> None:
    prepare_pending(ledger)
    enqueue_pending(ledger, [ADA], [BOB])
    send(ledger, {ADA: Delivery.REFUSED})


def prepare_queued(ledger: Ledger) -> None:
    prepare_held(ledger)
    catch_up(ledger, BOB)


def prepare_dead(ledger: Ledger) -> None:
    prepare_queued(ledger)
    send(ledger, {BOB: Delivery.REFUSED})


def sort_more(ledger: Ledger) -> None:
    with ledger.ingesting(SPOOL, 5) as tx:
        tx.remember_records(["0" * 32], NOON)
        groups = tx.groups([key("a"), key("c")])
        tx.save([more(groups[key("a")], 4)])
        tx.count(groups[key("a")].id, {NOON: 4})
        tx.book(received=5, parked=1)
        tx.quarantine(9, at=NOON, reason="x")
        tx.advance(10)


def start_and_send(ledger: Ledger, outcome: Delivery) -> None:
    """What a worker does when it comes back: its former life's claim is in nobody's way."""
    ledger.forget_worker("worker")
    send(ledger, {BOB: outcome})


def purge(ledger: Ledger) -> None:
    ledger.purge(NOON + 100 * DAY, samples_for=DAY, counts_for=90 * DAY)


OPERATIONS: dict[str, tuple[Callable[[Ledger], None], Callable[[Ledger], object]]] = {
    "sort": (prepare_nothing, prepare_pending),
    "sort more": (prepare_pending, sort_more),
    "freeze": (prepare_pending, lambda ledger: enqueue_pending(ledger, [ADA], [BOB])),
    "follow up": (prepare_held, lambda ledger: catch_up(ledger, BOB)),
    "reported": (prepare_queued, lambda ledger: start_and_send(ledger, Delivery.SENT)),
    "dead": (prepare_queued, lambda ledger: start_and_send(ledger, Delivery.REFUSED)),
    "retry": (prepare_dead, lambda ledger: ledger.retry(ledger.messages()[0].id, NOON)),
}


def die_at(ledger: Ledger, number: int) -> None:
    """End the process before its statement of this number."""
    left = itertools.count(number, -1)

    def step(*_: object) -> None:
        if next(left) == 0:
            os._exit(DIED)

    engine = ledger._backend.engine
    for moment in ("before_cursor_execute", "commit"):
        event.listen(engine, moment, step)


def survives(url: str, operation: Callable[[Ledger], object], number: int) -> bool:
    """Whether a process that dies at that statement comes to the operation's end before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a test runner's threads do not touch a ledger
        child = os.fork()
    if child == 0:
        try:
            ledger = Ledger.open(url, lock_timeout=LONG_LOCK_TIMEOUT)
            die_at(ledger, number)
            operation(ledger)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, DIED}
    return code == 0


def look(url: str) -> tuple[object, ...]:
    """All that an operation may change, after a look at the balance."""
    ledger = Ledger.open(url, lock_timeout=LONG_LOCK_TIMEOUT)
    messages = [(each.state, each.next_try_at, each.told_by, each.deliveries) for each in ledger.messages()]
    seen = (figures(ledger), ledger.cursors(), ledger.groups(), messages, ledger.quarantined(), ledger.tally())
    ledger.close()
    return seen


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_death_at_any_statement_undoes_all_of_it(url: str, name: str):
    """Claims and leases apart, which are taken in transactions of their own and run out."""
    prepare, operation = OPERATIONS[name]
    ledger = Ledger.open(url)
    prepare(ledger)
    ledger.close()
    before = look(url)
    deaths = 0
    while not survives(url, operation, deaths):
        deaths += 1
        assert look(url) == before, f"died before statement {deaths}"

    assert deaths > 5
    assert look(url) != before


def test_death_in_a_purge_loses_no_mail(url: str):
    """It is many transactions: the next round goes on where this one ended."""
    ledger = Ledger.open(url)
    prepare_dead(ledger)
    ingest(ledger, {"old": 1})
    enqueue_pending(ledger)
    send(ledger, SENT)
    ledger.close()
    books = look(url)[0]
    for number in itertools.count(step=3):  # some statement of each of its transactions
        done = survives(url, purge, number)
        assert look(url)[0] == books
        if done:
            break
    ledger = Ledger.open(url)
    purge(ledger)
    assert ledger.groups() == []
    assert len(ledger.messages()) == 2, "the dead stay"
    ledger.close()
