"""Random merges, mails, digests, mutes and unmerges: every count is exact after each step, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from relay.commands.joining import join_groups, separate
from relay.ledger import Ledger
from relay.model import LEARNED, Group, MergedBy, Timing
from relay.schedule.group import mute, unmute
from relay.schedule.mutes import is_muted
from tests.support.ledger_world import DAY, HOUR, MINUTE, NOON, SECOND, ingest
from tests.support.merging import count_mails, ids_by_name, report_pending
from tests.support.state_machines import LedgerMachine, run_on_postgres, run_on_sqlite

TIMING = Timing()
NAMES = "abcdef"
names = st.sampled_from(NAMES)
batches = st.dictionaries(names, st.integers(1, 5), min_size=1, max_size=4)
spools = st.sampled_from(["1" * 32, "2" * 32])


class Merges(LedgerMachine):
    """A ledger beside a plain model: the tree of merges, and the mails of each fingerprint."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger.open(type(self).new_url())
        self.now = NOON
        self.into: dict[str, str] = {}
        self.mails: Counter[str] = Counter()
        self.pending: Counter[str] = Counter()

    def face(self, name: str) -> str:
        while name in self.into:
            name = self.into[name]
        return name

    # --- What happens -------------------------------------------------------------------------------------------------

    @rule(spool=spools, mails=batches)
    def mails_come(self, spool: str, mails: dict[str, int]) -> None:
        muted = {name for name in mails if self.is_muted(name)}
        booked = count_mails(self.ledger, mails, at=self.now, spool=spool)
        assert booked == sum(mails[name] for name in muted)
        self.mails.update(mails)
        self.pending.update({name: number for name, number in mails.items() if name not in muted})

    @rule(mails=batches)
    def mails_come_to_an_earlier_release(self, mails: dict[str, int]) -> None:
        """It counts on the row of the fingerprint, and knows no mutes in this test."""
        mails = {name: number for name, number in mails.items() if not self.is_muted(name)}
        if mails:
            ingest(self.ledger, mails, at=self.now, spool="3" * 32)
            self.mails.update(mails)
            self.pending.update(mails)
            count_mails(self.ledger, dict.fromkeys(mails, 1), at=self.now)  # finds them
            self.mails.update(dict.fromkeys(mails, 1))
            self.pending.update(dict.fromkeys(mails, 1))

    @rule(one=names, other=names, learned=st.booleans())
    def merge(self, one: str, other: str, learned: bool) -> None:
        ids = ids_by_name(self.ledger)
        if not {one, other} <= ids.keys():
            return
        by = MergedBy(author=LEARNED if learned else "anna", reason="", at=self.now)
        with self.ledger.steering() as tx:
            done = join_groups(tx.merges, ids[one], ids[other], by, TIMING, now=self.now)
        assert (done is None) is (self.face(one) == self.face(other))
        if done:
            self.into[self.face(other)] = self.face(one)

    @rule(parts=st.sets(names, min_size=1, max_size=3))
    def unmerge(self, parts: set[str]) -> None:
        parts = {
            each for each in parts & self.into.keys() if self.face(each) == self.face(min(parts & self.into.keys()))
        }
        if not parts:
            return
        ids = ids_by_name(self.ledger)
        with self.ledger.steering() as tx:
            separate(tx.merges, ids[self.face(min(parts))], [ids[each] for each in parts], TIMING, now=self.now)
        for each in parts:
            del self.into[each]

    @rule()
    def report(self) -> None:
        self.now += SECOND
        reported = report_pending(self.ledger, self.now)
        for name in self.pending:
            if self.face(name) in reported:
                self.pending[name] = 0

    @rule(name=names, above=st.sampled_from([None, 10_000]))
    def mute_one(self, name: str, above: int | None) -> None:
        if number := ids_by_name(self.ledger).get(name):
            until = self.now + HOUR
            self.ledger.revise(number, lambda group: mute(group, until, TIMING, now=self.now, above=above))

    @rule(name=names)
    def unmute_one(self, name: str) -> None:
        if number := ids_by_name(self.ledger).get(name):
            self.ledger.revise(number, lambda group: unmute(group, TIMING, self.now))

    @rule(span=st.sampled_from([MINUTE, 20 * MINUTE, HOUR, 2 * DAY]))
    def time_passes(self, span: timedelta) -> None:
        self.now += span

    def is_muted(self, name: str) -> bool:
        number = ids_by_name(self.ledger).get(name)
        group = number and self.ledger.face_of(number)
        return bool(group) and isinstance(group, Group) and is_muted(group, self.now)

    # --- What always holds --------------------------------------------------------------------------------------------

    @invariant()
    def every_count_is_exact(self) -> None:
        mails, pending = Counter[str](), Counter[str]()
        for name in NAMES:
            mails[self.face(name)] += self.mails[name]
            pending[self.face(name)] += self.pending[name]
        groups = {group.fingerprint: group for group in self.ledger.groups()}
        assert {title: group.mails for title, group in groups.items()} == +mails
        assert {title: group.occurrences for title, group in groups.items()} == +mails
        assert {title: group.pending_mails for title, group in groups.items() if group.pending_mails} == +pending
        for title, group in groups.items():
            timeline = self.ledger.timeline(group.id, NOON, self.now)
            assert sum(timeline.counts if timeline else ()) == mails[title]
            assert group.pending_occurrences == 0 or group.due_at is not None or is_muted(group, self.now)

    @invariant()
    def books_balance(self) -> None:
        books = self.ledger.books(self.now)
        assert books.balanced, books
        assert books.received == self.mails.total()

    def teardown(self) -> None:
        """All merges are undone: each error has exactly its own mails."""
        self.now += MINUTE
        try:
            while self.into:
                self.unmerge({min(self.into)})
            self.every_count_is_exact()
        finally:
            self.ledger.close()


@pytest.mark.hypothesis
def test_random_merges_on_sqlite(tmp_path: Path):
    run_on_sqlite(Merges, tmp_path, steps=25)


@pytest.mark.hypothesis
@pytest.mark.postgres
def test_random_merges_on_postgres(emptied_database: Callable[[], str]):
    run_on_postgres(Merges, emptied_database, steps=25)
