"""Decides what is told to whom, and freezes it: groups → turns → budgets → digests (ledger ↔ schedule, render).

    step       when to look, under which lease
    tick       one look: what each route is told, what is made good to whom
    accounts   who may have a mail, and what is said of budgets
    letters    the digest as a value, and rendered
    former     what an earlier configuration left behind
    preview    the same for what is pending, without telling anybody

Guarantee: a digest and the groups it was made of change in one transaction, under a lease with a fencing token: every
pending mail is in exactly one digest, whatever dies when and however many workers share the ledger.

A recipient has at most one unsent letter on a route. Where some recipients are free and others are not (an unsent
letter, a budget that is spent, older digests still held back), the digest goes to the free ones and is HELD for the
others; once one of those is free, all that was held back for it becomes one FOLLOW_UP for it alone. Where nobody is
free nothing is composed: all stays pending and becomes one digest when the way is free.
"""

from relay.digest.step import Digests

__all__ = ["Digests"]
