"""Several workers on one ledger: nothing is counted twice, lost, sent twice or left behind."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier, Event

import pytest

from relay.errors import CursorMismatch, LeaseLost, LedgerError
from relay.ledger import Ledger, Outcome
from relay.model import Delivery, MessageKind, MessageState
from tests.support.ledger_world import (
    ADA,
    BOB,
    MINUTE,
    NOON,
    ROUTE,
    SPOOL,
    TTL,
    catch_up,
    digest,
    enqueue_pending,
    entry,
    figures,
    fresh,
    ingest,
    key,
    lease_token,
    more,
    rendered,
    send,
    states,
)

LONG_LOCK_TIMEOUT = timedelta(seconds=60)
OTHER = "b" * 32


@pytest.fixture
def workers(url: str) -> Iterator[Callable[[], Ledger]]:
    """Opens the ledger once more, as another worker does."""
    opened: list[Ledger] = []

    def another() -> Ledger:
        opened.append(Ledger.open(url, lock_timeout=LONG_LOCK_TIMEOUT))
        return opened[-1]

    yield another
    for ledger in opened:
        ledger.close()


def at_once(*tasks: Callable[[], object]) -> list[object]:
    """Run tasks in threads that start together; raises what any of them raised."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[], object]) -> object:
        barrier.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(run, task) for task in tasks]]


# --- Ingest -----------------------------------------------------------------------------------------------------------


def test_sorters_with_different_spools_find_the_same_new_errors(workers):
    """In opposite order and in step, so that locks would cross if they could."""
    names = [f"error {number}" for number in range(40)]

    def sort_all(ledger: Ledger, spool: str, order: list[str]) -> None:
        for size in (5, 10, 40, 40):
            ingest(ledger, dict.fromkeys(order[:size], 2), spool=spool)

    one, two = workers(), workers()
    at_once(lambda: sort_all(one, SPOOL, names), lambda: sort_all(two, OTHER, names[::-1]))

    groups = {group.fingerprint: group.mails for group in one.groups(limit=100)}
    expected = dict.fromkeys(names, 0)
    for order in (names, names[::-1]):
        for size in (5, 10, 40, 40):
            for name in order[:size]:
                expected[name] += 2
    assert groups == expected
    assert figures(one) == {"received": 380, "pending": 380}
    for group in one.groups(limit=100):
        course = one.timeline(group.id, NOON, NOON)
        assert course is not None
        assert sum(course.counts) == group.mails


@pytest.mark.postgres
def test_sorters_of_different_errors_do_not_wait_for_each_other(emptied_database):
    """One is in the middle of its batch while the other begins and ends."""
    url = emptied_database()
    one, two = Ledger.open(url), Ledger.open(url, lock_timeout=timedelta(milliseconds=50))
    with one.ingesting(SPOOL, 0) as tx:
        tx.groups([key("a"), key("b")])
        ingest(two, {"c": 1}, spool=OTHER)
        tx.save([fresh("a")])
    assert {group.fingerprint for group in one.groups()} == {"a", "c"}
    one.close()
    two.close()


def test_second_sorter_gets_what_the_first_one_saved(workers):
    """It asks for the error while the first one is still at it."""
    one, two = workers(), workers()
    begun = Event()

    def first() -> None:
        with one.ingesting(SPOOL, 0) as tx:
            assert tx.groups([key("a")]) == {}
            begun.set()
            tx.save([fresh("a", mails=3)])

    def second() -> int:
        begun.wait()
        with two.ingesting(OTHER, 0) as tx:
            group = tx.groups([key("a")])[key("a")]
            tx.save([more(group, 4)])
            return group.mails

    assert at_once(first, second) == [None, 3]
    assert [group.mails for group in one.groups()] == [7]


def test_second_sorter_starts_anew_where_the_first_one_failed(workers):
    one, two = workers(), workers()
    begun = Event()

    def first() -> None:
        with pytest.raises(RuntimeError), one.ingesting(SPOOL, 0) as tx:  # noqa: PT012 -- it is to fail after that
            tx.groups([key("a")])
            tx.save([fresh("a", mails=3)])
            begun.set()
            raise RuntimeError

    def second() -> None:
        begun.wait()
        ingest(two, {"a": 4}, spool=OTHER)

    at_once(first, second)
    assert [group.mails for group in one.groups()] == [4]


def test_record_that_reached_two_spools_is_new_once(workers):
    one, two = workers(), workers()
    ids = [f"{number:032x}" for number in range(200)]

    def remember(ledger: Ledger, spool: str, order: list[str]) -> set[str]:
        with ledger.ingesting(spool, 0) as tx:
            return tx.remember_records(order, NOON)

    first, second = at_once(lambda: remember(one, SPOOL, ids), lambda: remember(two, OTHER, ids[::-1]))
    assert isinstance(first, set)
    assert isinstance(second, set)
    assert sorted([*first, *second]) == ids


def test_two_workers_on_one_spool_sort_a_batch_once(workers):
    def sort_from_zero(ledger: Ledger) -> bool:
        try:
            with ledger.ingesting(SPOOL, 0) as tx:
                tx.book(received=5, ignored=5)
                tx.advance(5)
        except CursorMismatch:
            return False
        return True

    one, two = workers(), workers()
    assert sorted(map(bool, at_once(lambda: sort_from_zero(one), lambda: sort_from_zero(two)))) == [False, True]
    assert figures(one) == {"received": 5, "ignored": 5}


# --- Scheduling -------------------------------------------------------------------------------------------------------


def test_sorting_and_scheduling_at_once_lose_no_mail(workers):
    one, two = workers(), workers()
    ingest(one, {"a": 1})

    def sort_often() -> None:
        for _ in range(30):
            ingest(one, {"a": 1, "b": 1})

    def enqueue_often() -> None:
        for _ in range(10):
            enqueue_pending(two)
            send(two, {ADA: Delivery.SENT})

    at_once(sort_often, enqueue_often)
    enqueue_pending(two)
    send(two, {ADA: Delivery.SENT})
    assert figures(one) == {"received": 61, "reported": 61}


def test_of_two_schedulers_one_has_the_lease(workers):
    tokens = at_once(*[partial(workers().lease, "schedule", name, NOON, TTL) for name in ("one", "two")])

    assert sorted(token is None for token in tokens) == [False, True]


def test_worker_that_was_asleep_writes_nothing(workers):
    """It resumes with a lease that another worker holds now. That worker has reported everything already."""
    one, two = workers(), workers()
    ingest(one, {"a": 3})
    asleep = one.lease("schedule", "one", NOON, MINUTE)
    awake = two.lease("schedule", "two", NOON + MINUTE, MINUTE)
    assert asleep is not None
    assert awake is not None
    with two.digesting("schedule", awake) as tx:
        assert len(tx.pending_groups(ROUTE)) == 1
    with pytest.raises(LeaseLost), one.digesting("schedule", asleep) as tx:
        pytest.fail("entered")


def test_lease_cannot_be_taken_over_in_the_middle_of_a_transaction(workers):
    """The next holder finds the digest in the outbox."""
    one, two = workers(), workers()
    ingest(one, {"a": 3})
    token = lease_token(one)
    inside = Event()

    def freeze() -> None:
        with one.digesting("schedule", token) as tx:
            inside.set()
            message = digest([entry(group) for group in tx.pending_groups(ROUTE)])
            tx.enqueue(message, rendered(message), queued=[ADA])
            tx.save([])

    def take_over() -> int:
        inside.wait()
        newer = two.lease("schedule", "two", NOON + TTL, TTL)
        assert newer is not None
        assert newer > token
        with two.digesting("schedule", newer) as tx:
            return len(tx.free_recipients(ROUTE, [ADA]))

    assert at_once(freeze, take_over) == [None, 0]


# --- The outbox -------------------------------------------------------------------------------------------------------


def test_no_message_is_claimed_twice(workers):
    ledgers = [workers() for _ in range(4)]
    ids = {enqueue_pending(ledgers[0], [f"{number}@example.com"]) for number in range(40)}

    def claim_all(ledger: Ledger) -> list[str]:
        claimed = []
        while message := ledger.claim_message("worker", NOON, TTL):
            claimed.append(message.id)
        return claimed

    lists = at_once(*[partial(claim_all, ledger) for ledger in ledgers])
    assert sorted(outbox_id for each in lists if isinstance(each, list) for outbox_id in each) == sorted(ids)


def test_workers_send_every_message_once(workers):
    """Claim, mark, settle, all at once, with digests that end through two catch-up digests each."""
    ledgers = [workers() for _ in range(3)]
    for number in range(8):
        ingest(ledgers[0], {f"error {number}": 1})
        enqueue_pending(ledgers[0], ["eve@example.com"], [ADA, BOB])
        send(ledgers[0], {"eve@example.com": Delivery.REFUSED})
    for recipient in (ADA, BOB):
        catch_up(ledgers[0], recipient)
    sent: list[str] = []

    def send_all(ledger: Ledger) -> None:
        while message := ledger.claim_message("worker", NOON, TTL):
            ledger.mark_ambiguous(message)
            sent.extend(message.recipients)
            outcome = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
            ledger.settle(message, outcome, NOON)

    at_once(*[partial(send_all, ledger) for ledger in ledgers])
    assert sorted(sent) == [ADA, BOB]
    assert figures(ledgers[0]) == {"received": 8, "reported": 8}


def test_two_halves_of_a_digest_settled_at_once_end_it(workers):
    """Neither worker sees the other's half before it commits; one of them must."""
    one, two = workers(), workers()
    for round_ in range(10):
        ingest(one, {"a": 1})
        outbox_id = enqueue_pending(one, ["eve@example.com"], [ADA, BOB], at=NOON + round_ * MINUTE)
        send(one, {"eve@example.com": Delivery.REFUSED}, at=NOON + round_ * MINUTE)
        for recipient in (ADA, BOB):
            catch_up(one, recipient, at=NOON + round_ * MINUTE)
        messages = [one.claim_message("one", NOON + round_ * MINUTE, TTL) for _ in range(2)]
        refused = Outcome(refused=frozenset({ADA}), tries=1, refusals=1, ambiguous=False)
        taken = Outcome(sent=frozenset({BOB}), tries=1, refusals=1, ambiguous=False)
        outcomes = {(ADA,): refused, (BOB,): taken}
        first, second = ((message, outcomes[message.recipients]) for message in messages if message)
        at_once(partial(one.settle, *first, NOON), partial(two.settle, *second, NOON))

        assert states(one, outbox_id)[0] is MessageState.SENT
    assert figures(one) == {"received": 10, "reported": 10}


def test_concurrent_retry_and_enqueue_queue_one_message_per_recipient(workers):
    one, two = workers(), workers()
    for round_ in range(5):
        at = NOON + round_ * MINUTE
        ingest(one, {"a": 1})
        dead = enqueue_pending(one, at=at)
        send(one, {ADA: Delivery.REFUSED}, at=at)
        ingest(one, {"a": 1})

        def enqueue_if_free(at=at) -> None:
            with two.digesting("schedule", lease_token(two, at)) as tx:
                if tx.free_recipients(ROUTE, [ADA]):
                    message = digest(kind=MessageKind.DIGEST, at=at)
                    tx.enqueue(message, rendered(message), queued=[ADA])

        at_once(partial(one.retry, dead, NOON), enqueue_if_free)
        while message := one.claim_message("worker", at, TTL):
            one.settle(message, Outcome(sent=frozenset({ADA}), tries=1, refusals=0, ambiguous=False), at)
        try:
            catch_up(one, ADA, at=at)
        except (LedgerError, ValueError):
            continue  # the revived message was first and has been sent by itself
        send(one, {ADA: Delivery.SENT}, at=at)

    enqueue_pending(one)
    send(one, {ADA: Delivery.SENT})
    assert figures(one) == {"received": 10, "reported": 10}
