"""Hands letters to the outbox step, one at a time under a claim, and takes down what came of it (outbox ↔ ledger).

Guarantee: a letter has at most one live claim; what is written back under another one is refused (LeaseLost). Outcomes
are stored per recipient: who was served is not served again. The books are written in the transaction in which a
letter ends.

    OPEN ──claim──► mark_ambiguous ──► settle ──► OPEN (somebody is still queued, held, or covered by an open follow-up)
                                              ├─► SENT (all settled, at least one took it: mails are reported)
                                              └─► DEAD (all settled, nobody did: mails are undelivered)

A recipient is settled by SENT or REFUSED, or COVERED by a follow-up that is settled for this recipient.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from relay.ledger.engine import Database
from relay.ledger.views import Outcome
from relay.model import Letter, LetterState, UpstreamState


class Outbox(Database):
    """The ledger's part for `outbox`."""

    def claim_letter(self, worker: str, now: datetime, ttl: timedelta) -> Letter | None:
        """Claim the oldest letter that is to be tried at `now` and that nobody holds; None where there is none.

        The claim runs out at `now + ttl`, which must be longer than any try may take: after it another worker may send
        the letter too.
        """
        raise NotImplementedError

    def mark_ambiguous(self, letter: Letter) -> None:
        """Note that from here on it may have been delivered; durable when this returns, so call it before the final dot.

        Raises LeaseLost if the claim is gone: then it must not be sent.
        """
        raise NotImplementedError

    def settle(self, letter: Letter, outcome: Outcome, now: datetime) -> LetterState:
        """Write down what came of one try and let go of the claim; returns the letter's state after it.

        Who is neither in `sent` nor in `refused` stays queued. Raises LeaseLost if the claim is gone; ValueError for
        recipients that are not the letter's, or where some stay queued without a `next_try_at`.
        """
        raise NotImplementedError

    def next_try_at(self) -> datetime | None:
        """When the next letter is to be tried (claimed ones: when their claim runs out); None where none is queued."""
        raise NotImplementedError

    def upstream(self) -> UpstreamState:
        """What is known of the upstream."""
        raise NotImplementedError

    def save_upstream(self, state: UpstreamState) -> None:
        """Write down what is known of the upstream."""
        raise NotImplementedError
