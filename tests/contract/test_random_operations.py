"""Random operations on a ledger: after every step the books balance, and in the end every mail has been reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from relay.errors import LeaseLost
from relay.ledger import Ledger, Outcome
from relay.model import Delivery, MessageKind, MessageState, OutboxMessage
from tests.support.ledger_world import (
    ADA,
    BOB,
    DAY,
    MINUTE,
    NOON,
    digest,
    entry,
    fresh,
    key,
    lease_token,
    more,
    rendered,
    reported,
)
from tests.support.state_machines import LedgerMachine, run_on_postgres, run_on_sqlite

EVE = "eve@example.com"
RECIPIENTS = (ADA, BOB, EVE)
TTL = 5 * MINUTE
errors = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=1, max_size=3)
some = st.sets(st.sampled_from(RECIPIENTS))
spools = st.sampled_from(["1" * 32, "2" * 32])


class Life(LedgerMachine):
    """One ledger, its workers and its administrator. A subclass says where the ledger is."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger.open(type(self).new_url())
        self.now = NOON
        self.received = 0
        self.claims: dict[OutboxMessage, datetime] = {}
        """Claimed messages, each with the time at which its claim expires."""
        self.lost: list[OutboxMessage] = []

    # --- Mails come in ------------------------------------------------------------------------------------------------

    @rule(spool=spools, mails=errors, muted=st.integers(0, 2), ignored=st.integers(0, 2), fails=st.booleans())
    def sort(self, spool: str, mails: dict[str, int], muted: int, ignored: int, fails: bool) -> None:
        total = sum(mails.values()) + muted + ignored
        position = self.ledger.cursor(spool)
        try:
            with self.ledger.ingesting(spool, position) as tx:
                known = tx.groups([key(name) for name in mails])
                after = [
                    more(known[key(name)], number, self.now)
                    if key(name) in known
                    else fresh(name, mails=number, at=self.now)
                    for name, number in mails.items()
                ]
                for each, group in tx.save(after).items():
                    tx.count(group.id, {self.now: mails[each[2]]})
                tx.book(received=total, muted=muted, ignored=ignored)
                tx.advance(position + total)
                total //= 0 if fails else 1
        except ZeroDivisionError:
            assert self.ledger.cursor(spool) == position
        else:
            self.received += total

    # --- Digests are enqueued -----------------------------------------------------------------------------------------

    @rule(recipients=some)
    def report_all(self, recipients: set[str]) -> None:
        with self.ledger.digesting("schedule", lease_token(self.ledger, self.now)) as tx:
            groups = tx.pending_groups("admins")
            queued = tx.free_recipients("admins", recipients)
            if not groups or not queued:
                return
            message = digest([entry(group) for group in groups], recipients, at=self.now)
            dead = [total.id for total in tx.dead_totals("admins")]
            tx.enqueue(message, rendered(message), queued=queued, deferred=recipients - queued, dead=dead)
            tx.save([reported(group, self.now) for group in groups])

    @rule()
    def follow_up(self) -> None:
        with self.ledger.digesting("schedule", lease_token(self.ledger, self.now)) as tx:
            for route, recipient in tx.deferred_recipients():
                if tx.free_recipients(route, [recipient]):
                    covers = tx.deferred_messages(route, recipient)
                    message = digest(tx.entries(covers), [recipient], kind=MessageKind.CATCH_UP, at=self.now)
                    tx.enqueue(message, rendered(message), queued=[recipient], covers=covers)

    @rule(recipient=st.sampled_from(RECIPIENTS))
    def abandon(self, recipient: str) -> None:
        with self.ledger.digesting("schedule", lease_token(self.ledger, self.now)) as tx:
            tx.abandon("admins", recipient, "no longer configured", self.now)
        self.claims = {
            message: until for message, until in self.claims.items() if until > self.now
        }  # the rest: perhaps

    # --- Messages are delivered ---------------------------------------------------------------------------------------

    @rule()
    def claim(self) -> None:
        if message := self.ledger.claim_message("worker", self.now, TTL):
            assert message.recipients
            self.lose([each for each in self.claims if each.id == message.id])
            self.claims[message] = self.now + TTL

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), sent=some, refused=some, marks=st.booleans())
    def settle(self, data: st.DataObject, sent: set[str], refused: set[str], marks: bool) -> None:
        """A claim that has run out, but that nobody took over, still counts."""
        message = data.draw(st.sampled_from(list(self.claims)))
        if marks:
            self.ledger.mark_ambiguous(message)
        outcome = Outcome(
            sent=frozenset(sent & set(message.recipients)),
            refused=frozenset((refused - sent) & set(message.recipients)),
            next_try_at=self.now + MINUTE,
            tries=message.tries + 1,
            refusals=message.refusals,
            ambiguous=marks,
        )
        self.ledger.settle(message, outcome, self.now)
        self.lose([message])

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def settle_too_late(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.lost))
        outcome = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
        with pytest.raises(LeaseLost):
            self.ledger.mark_ambiguous(message)
        with pytest.raises(LeaseLost):
            self.ledger.settle(message, outcome, self.now)

    @rule()
    def worker_starts_anew(self) -> None:
        self.ledger.forget_worker("worker")
        self.lose(list(self.claims))

    def lose(self, messages: list[OutboxMessage]) -> None:
        for message in messages:
            del self.claims[message]
            self.lost.append(message)

    # --- An administrator, and time -----------------------------------------------------------------------------------

    @rule(data=st.data(), drops=st.booleans())
    def look_at_dead_letters(self, data: st.DataObject, drops: bool) -> None:
        dead = self.ledger.messages(state=MessageState.DEAD)
        if dead:
            message = data.draw(st.sampled_from(sorted(each.id for each in dead)))
            assert self.ledger.drop(message, self.now) if drops else self.ledger.retry(message, self.now)

    @rule(span=st.sampled_from([MINUTE, TTL, DAY, 20 * DAY, 100 * DAY]))
    def time_passes(self, span: timedelta) -> None:
        self.now += span

    @rule(limit=st.integers(1, 20))
    def purge(self, limit: int) -> None:
        self.ledger.purge(self.now, samples_for=14 * DAY, counts_for=90 * DAY, limit=limit)

    # --- What always holds --------------------------------------------------------------------------------------------

    @invariant()
    def books_balance(self) -> None:
        books = self.ledger.books(self.now)
        assert books.balanced, books
        assert books.received == self.received

    @invariant()
    def messages_are_consistent(self) -> None:
        queued: set[str] = set()
        for message in self.ledger.messages(limit=1_000):
            open_ones = {each.recipient for each in message.deliveries if each.state is Delivery.QUEUED}
            assert (message.next_try_at is not None) is bool(open_ones)
            assert not open_ones or message.state is MessageState.OPEN
            assert (message.ended_at is None) is (message.state is MessageState.OPEN)
            assert not queued & open_ones, "at most one message is queued for each recipient"
            queued |= open_ones
            settled = {Delivery.SENT, Delivery.REFUSED}
            if all(each.state in settled for each in message.deliveries):
                assert message.state is not MessageState.OPEN

    def teardown(self) -> None:
        """From any state, an upstream that takes everything gets everything."""
        self.now += DAY
        self.ledger.forget_worker("worker")
        for _ in range(200):
            self.follow_up()
            self.report_all(set(RECIPIENTS))
            message = self.ledger.claim_message("worker", self.now, TTL)
            if message is None:
                break
            outcome = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
            self.ledger.settle(message, outcome, self.now)
        books = self.ledger.books(self.now)
        still_open = self.ledger.messages(state=MessageState.OPEN)
        self.ledger.close()
        assert still_open == []
        assert books.pending == 0
        assert books.balanced


@pytest.mark.hypothesis
def test_life_on_sqlite(tmp_path: Path):
    run_on_sqlite(Life, tmp_path, steps=30)


@pytest.mark.hypothesis
@pytest.mark.postgres
def test_life_on_postgres(emptied_database: Callable[[], str]):
    run_on_postgres(Life, emptied_database, steps=30)
