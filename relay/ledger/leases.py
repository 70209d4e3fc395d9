"""Lets one worker at a time do what only one may do (scheduling), with a fencing token (digest → ledger).

Guarantee: tokens of one name only grow, and a transaction that runs under a token commits only while no greater one
has been given out. Clocks of different machines may differ: that costs waiting, never safety.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from relay.ledger.engine import Database


class Leases(Database):
    """The ledger's part for taking turns."""

    def lease(self, name: str, holder: str, now: datetime, ttl: timedelta) -> int | None:
        """Take the lease or make it last until `now + ttl`; returns its fencing token, None while another holds it.

        The token stays the same as long as the holder renews in time; in every other case it is a greater one.
        """
        raise NotImplementedError

    def forget_worker(self, worker: str) -> None:
        """Free all that a former life of `worker` held: leases by that holder, claims on letters.

        To be called when a worker starts (its name belongs to a data directory that it has locked) and when it stops.
        """
        raise NotImplementedError
