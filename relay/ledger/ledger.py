"""The class Ledger: all parts of the ledger in one object, which the steps, the CLI and the web share."""

from __future__ import annotations

from relay.ledger.app_names import AppNames
from relay.ledger.carry_over import CarryingOver
from relay.ledger.digest import Digesting
from relay.ledger.ingest import Ingesting
from relay.ledger.learned import Learning
from relay.ledger.leases import Leases
from relay.ledger.messages import Messages
from relay.ledger.outbox import Outbox
from relay.ledger.purge import Purge
from relay.ledger.queries import Queries
from relay.ledger.steering import Steering


class Ledger(
    Ingesting, AppNames, CarryingOver, Digesting, Learning, Leases, Outbox, Messages, Queries, Purge, Steering
):
    """The whole state of the relay in one database. Open it with `Ledger.open(url)`, close it with `close()`."""
