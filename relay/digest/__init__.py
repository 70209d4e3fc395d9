"""Digest step: decide which digests are due for which recipients; render and enqueue them (ledger ↔ schedule, compose).

    step      when to check for due groups, under which lease
    tick      one check: the digest of each route, then the catch-up digest of each recipient
    spending  which recipients can still get a mail, and the notes about their budgets
    writer    the digests that one tick builds and renders
    build     the digest as a value, read from one snapshot of the ledger
    removed   recipients and routes that are no longer configured
    preview   what the digests would look like now; nothing is enqueued

Guarantee: a digest and its groups change in one transaction, under a lease with a fencing token. Every pending mail is
therefore in exactly one digest, whenever a process dies and however many workers share the ledger.

A recipient has at most one unsent message per route. If only some recipients are free (the others have an unsent
message, a spent budget or older digests still deferred), the digest goes to the free ones and is DEFERRED for the
others. As soon as one of those is free, everything deferred for it becomes one CATCH_UP digest for it alone. If no
recipient is free, no digest is built: everything stays pending and becomes one digest later.
"""

from relay.digest.step import Digests

__all__ = ["Digests"]
