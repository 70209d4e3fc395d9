"""The state of the world in one SQL database: groups, counts, letters, budgets, books (steps, CLI, web ↔ disk).

    with ledger.sorting(spool_id, position) as tx:    mails come in, exactly once        sorting.py
    ledger.carry_over                                 groups of an earlier version       carrying.py
    with ledger.scheduling(name, token) as tx:        a digest is frozen, under a lease  scheduling.py, freezing.py
    ledger.claim_letter, mark_ambiguous, settle       it goes out                        outbox.py, endings.py
    ledger.groups, letters, books, …                  people look at it                  reading.py, letters.py
    ledger.purge                                      what is old goes                   purge.py
    repair                                            a damaged file, made to work again repairing.py, salvage.py

Guarantees. Every public method, and every `with` block, is one transaction: durable when it returns, without effect
when it raises (a LedgerBusy at the commit alone may come after PostgreSQL has committed: read the state again before
repeating). Any process may be killed between any two lines; any number of workers may share one ledger. SQLite and
PostgreSQL behave alike; where many wait for one another is said in `engine`. Methods are safe to call from any thread;
a transaction object belongs to the thread that opened it and to its `with` block.

Every method may raise LedgerBusy (locked or out of reach: try again) and LedgerError (damaged, or not as it should be).
No error text holds a password, a statement's values or a mail's content.
"""

from relay.ledger.digest import DigestReads, DigestTransaction
from relay.ledger.engine import sqlite_file, sqlite_url
from relay.ledger.ingest import IngestTransaction
from relay.ledger.ledger import Ledger
from relay.ledger.results import (
    Cursor,
    DeadTotal,
    GroupClaim,
    GroupOrder,
    Lease,
    Outcome,
    QuarantinedMail,
    RecipientState,
    RouteState,
    StoredMessage,
    Tally,
)

__all__ = [
    "Cursor",
    "DeadTotal",
    "DigestReads",
    "DigestTransaction",
    "GroupClaim",
    "GroupOrder",
    "IngestTransaction",
    "Lease",
    "Ledger",
    "Outcome",
    "QuarantinedMail",
    "RecipientState",
    "RouteState",
    "StoredMessage",
    "Tally",
    "sqlite_file",
    "sqlite_url",
]
