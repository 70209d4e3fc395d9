"""Puts the parts of the ledger together: one object that the steps, the CLI and the web share."""

from __future__ import annotations

from relay.ledger.carry_over import Carrying
from relay.ledger.digest import Scheduling
from relay.ledger.ingest import Sorting
from relay.ledger.leases import Leases
from relay.ledger.letters import Letters
from relay.ledger.outbox import Outbox
from relay.ledger.purge import Purge
from relay.ledger.queries import Reading


class Ledger(Sorting, Carrying, Scheduling, Leases, Outbox, Letters, Reading, Purge):
    """All that the relay knows, in one database. Open it with `Ledger.open(url)`, close it with `close()`."""
