"""The ledger: groups, counts, outbox, budgets and books in one SQL database (steps, CLI, web ↔ disk).

    with ledger.ingesting(spool_id, position) as tx:   count mails, exactly once           ingest.py
    ledger.carry_over                                  move groups to a new fingerprint    carry_over.py
    with ledger.digesting(name, token) as tx:          enqueue a digest, under a lease     digest.py, enqueue.py
    ledger.claim_message, mark_ambiguous, settle       deliver it                          outbox.py, settlement.py
    ledger.groups, messages, books, …                  listings for people                 queries.py, messages.py
    ledger.purge                                       delete old data                     purge.py
    with ledger.steering() as tx:                      an administrator's command          steering.py
    tx.merges                                          the groups of merged errors         members.py
    repair                                             rebuild a damaged SQLite file       repair/

Guarantees. Every public method and every `with` block is one transaction: durable when it returns, without effect when
it raises. One exception: after a LedgerBusy at the commit, PostgreSQL may have committed, so read the state again
before you repeat. Any process may be killed at any point. Any number of workers may share one ledger. SQLite and
PostgreSQL behave alike; `engine` says when writers wait for each other. Methods are thread-safe. A transaction object
belongs to its `with` block and to the thread that opened it.

Every method may raise LedgerBusy (locked or not reachable: try again) and LedgerError (damaged, or not as expected).
No error text contains a password, a value of a statement or the content of a mail.
"""

from relay.ledger.digest import DigestReads, DigestTransaction
from relay.ledger.engine import sqlite_file, sqlite_url
from relay.ledger.ingest import IngestTransaction
from relay.ledger.ledger import Ledger
from relay.ledger.members import MemberRows
from relay.ledger.results import (
    Cursor,
    DeadTotal,
    GroupClaim,
    GroupOrder,
    Lease,
    Outcome,
    QuarantinedMail,
    RecipientState,
    StoredMessage,
    Tally,
)
from relay.ledger.steering import SteeringTransaction

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
    "MemberRows",
    "Outcome",
    "QuarantinedMail",
    "RecipientState",
    "SteeringTransaction",
    "StoredMessage",
    "Tally",
    "sqlite_file",
    "sqlite_url",
]
