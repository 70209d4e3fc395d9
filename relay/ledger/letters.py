"""Lists the letters of the outbox for people, and does what they ask of dead ones (CLI, web ↔ ledger)."""

from __future__ import annotations

from datetime import datetime

from relay.ledger.engine import Database
from relay.ledger.views import StoredLetter
from relay.model import Entry, LetterState


class Letters(Database):
    """The ledger's part for `relay outbox` and the dashboard."""

    def letters(
        self, *, state: LetterState | None = None, route: str | None = None, limit: int = 100
    ) -> list[StoredLetter]:
        """Letters with their deliveries, newest first."""
        raise NotImplementedError

    def letter(self, letter_id: str) -> StoredLetter | None:
        """One letter; None where there is none of that id."""
        raise NotImplementedError

    def raw(self, letter_id: str) -> bytes | None:
        """The letter's bytes as they go over the wire; None where there is no such letter, or its bytes were purged."""
        raise NotImplementedError

    def entries_of(self, letter_id: str) -> list[Entry]:
        """What the letter tells, in its order; [] after its bytes were purged."""
        raise NotImplementedError

    def retry(self, letter_id: str, now: datetime) -> bool:
        """Revive a DEAD letter: open again, its recipients queued for a try at `now`, its mails pending again.

        A recipient who has another letter of this route queued is HELD instead, so that a follow-up covers it; of a
        NOTICE only free recipients are tried again. Digests that died with a follow-up are revived with it.
        False where there is no dead letter of that id, or (NOTICE) all its recipients are busy.
        """
        raise NotImplementedError

    def drop(self, letter_id: str, now: datetime) -> bool:
        """Let a DEAD letter go; its mails stay undelivered in the books. False where there is no such dead letter."""
        raise NotImplementedError
