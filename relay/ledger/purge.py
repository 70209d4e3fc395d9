"""Lets go of what is old, in small transactions (housekeeping → ledger).

Guarantee: nothing that the books still need goes; a dead letter is never deleted. Rolled-up counts keep their sum.

    counts            per minute for 48 h, then per hour for 14 d, then per day until `counts_for`
    samples           `samples_for`
    record ids        24 h
    letters           bytes and entries `letters_for` after the end, the row `counts_for` after it; of DEAD ones nothing
    groups            once quiet for `counts_for` with nothing pending and no mute
    parked mails      by the caller, who owns their files: `Reading.parked(before=…)`, then `forget_parked`
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from relay.ledger.engine import Database
from relay.ledger.views import Parked


class Purge(Database):
    """The ledger's part for `housekeeping`."""

    def purge(
        self,
        now: datetime,
        *,
        samples_for: timedelta,
        counts_for: timedelta,
        letters_for: timedelta = timedelta(days=14),
        limit: int = 1_000,
    ) -> int:
        """Do one bounded round: at most `limit` rows of each kind, each kind in its own transaction.

        Returns how many rows went or were rolled up; 0: nothing left to do.
        """
        raise NotImplementedError

    def forget_parked(self, parked: Iterable[Parked]) -> None:
        """Take mails off the list of parked ones, after their files were unlinked. They stay in the books."""
        raise NotImplementedError
