"""Takes in what `sort` made of a batch of mails, in one transaction with the cursor (sort → ledger).

Guarantee: a mail is counted exactly once, whatever dies when: its group, its counts, the books and the cursor of its
spool are written together or not at all, and the cursor is compared before anything is written.

Two workers with different spools may bring the same new error at the same moment. `groups()` therefore claims every
key it does not find with a placeholder row in the order of the keys (INSERT … ON CONFLICT DO NOTHING waits for a
transaction that is inserting the same key) and then locks all rows in the order of their ids: whoever comes second
gets what the first one saved. A placeholder is seen by nobody else, and goes at the end unless `save` filled it.
So, in this order, each once per transaction and for the whole batch:

    remember_records → groups → save → count, sample, book, park → advance
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from relay.ledger.engine import Database
from relay.ledger.views import GroupKey
from relay.model import Group, Sample


class SortingTransaction:
    """What can be written while one batch of one spool is being sorted."""

    def known_records(self, ids: Collection[str]) -> set[str]:
        """Those of our client's record ids (32 hex digits each) that were remembered within about 24 hours."""
        raise NotImplementedError

    def remember_records(self, ids: Collection[str], at: datetime) -> set[str]:
        """Remember record ids seen at `at`; those returned are new, and only their mails count.

        The rest is a repeat of a mail whose 250 the client missed. One call both asks and remembers, so that two
        workers that got the same mail at once cannot both count it; `known_records` is for looking only.
        Raises ValueError for an id that is not 32 hex digits.
        """
        raise NotImplementedError

    def groups(self, keys: Collection[GroupKey]) -> dict[GroupKey, Group]:
        """The groups under these keys, locked until the transaction ends; keys that have none are claimed."""
        raise NotImplementedError

    def save(self, groups: Iterable[Group]) -> dict[GroupKey, Group]:
        """Write groups whose keys were given to `groups()`, new ones (id 0) too; returns them by key, with their ids.

        Raises LedgerError for a new group whose key was not claimed.
        """
        raise NotImplementedError

    def count(self, group_id: int, minutes: Mapping[datetime, int]) -> None:
        """Add occurrences to the group's course: by minute (each key is cut down to its full minute)."""
        raise NotImplementedError

    def sample(self, group_id: int, sample: Sample) -> None:
        """Keep a sample: the group's first one and its newest SAMPLES_KEPT stay. One per group and batch is enough."""
        raise NotImplementedError

    def book(self, *, received: int = 0, muted: int = 0, ignored: int = 0, parked: int = 0) -> None:
        """Add to the spool's books, in mails. What is neither muted, ignored nor parked must be pending in a group."""
        raise NotImplementedError

    def park(self, position: int, *, at: datetime, reason: str, path: str = "") -> None:
        """List a mail that was put aside; `path` is its file. Does not book it: `book(received=1, parked=1)` does."""
        raise NotImplementedError

    def advance(self, position: int) -> None:
        """Move the cursor to `position`, where the next batch begins. Raises ValueError where that is backwards."""
        raise NotImplementedError


class Sorting(Database):
    """The ledger's part for `sort`."""

    def cursor(self, spool_id: str) -> int:
        """Where the next record to be sorted begins; 0 for a spool the ledger has not seen."""
        raise NotImplementedError

    @contextmanager
    def sorting(self, spool_id: str, position: int) -> Iterator[SortingTransaction]:
        """One transaction that sorts a batch: commits at the end of the block, rolls back on an exception.

        Raises CursorMismatch unless the stored cursor is `position`. After a LedgerBusy from the end of the block ask
        `cursor()` again: the batch may have been committed.
        """
        raise NotImplementedError
        yield SortingTransaction()
