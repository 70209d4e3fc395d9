"""Leases with fencing tokens: one worker at a time decides about digests (digest → ledger).

Guarantee: the tokens of one name only grow. A transaction under a token commits only while no greater token has been
issued. The clocks of different machines may differ: that costs waiting, never safety.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from relay.errors import LeaseLost
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.columns import EPOCH
from relay.ledger.engine import Database
from relay.ledger.schema import IS_TO_TRY, leases, messages
from relay.ledger.upsert import insert_missing

CLOCKS_DIFFER_BY = timedelta(days=1)
"""The largest difference between the clocks of two workers at which one respects the other's claims."""


class Leases(Database):
    """The part of the ledger for leases."""

    def lease(self, name: str, holder: str, now: datetime, ttl: timedelta) -> int | None:
        """Take or renew the lease until `now + ttl`. Returns its fencing token, None while another worker holds it.

        The token stays the same while the holder renews in time; otherwise a greater one is issued. A lease that would
        last for days is ignored: the clock was set back after it was written.
        """
        with self._write(WriteMode.UNGATED) as connection:
            nobody = {"name": name, "holder": "", "token": 0, "expires_at": EPOCH}
            connection.execute(insert_missing(connection, leases), nobody)
            row = connection.execute(select(leases).where(leases.c.name == name).with_for_update()).one()
            live = now < row.expires_at <= now + ttl + CLOCKS_DIFFER_BY
            if live and row.holder != holder:
                return None
            token: int = row.token if live else row.token + 1
            taken = update(leases).where(leases.c.name == name)
            connection.execute(taken.values(holder=holder, token=token, expires_at=now + ttl))
        return token

    def forget_worker(self, worker: str) -> None:
        """Release the leases and the claims on messages that an earlier process of `worker` held.

        Call it when a worker starts (its name belongs to a data directory that it has locked) and when it stops.
        """
        with self._write(WriteMode.EXCLUSIVE) as connection:
            connection.execute(update(leases).where(leases.c.holder == worker).values(expires_at=EPOCH))
            claimed = update(messages).where(IS_TO_TRY, messages.c.claimed_by == worker)
            connection.execute(claimed.values(claim="", claimed_by="", claimed_until=None))


def require_lease(connection: Connection, name: str, token: int) -> None:
    """Raise LeaseLost unless `token` is the newest one of the lease. The row stays locked for this transaction."""
    newest = connection.scalar(select(leases.c.token).where(leases.c.name == name).with_for_update())
    if newest != token:
        raise LeaseLost(f"the lease {name!r} has gone to another worker (token {newest}, ours is {token})")
