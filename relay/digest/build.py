"""Build a digest from its entries: timelines, samples, books and thread (ledger → compose).

The tick uses it for the digests that are sent, the preview for those that are only shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from relay.compose.correlate import correlate
from relay.compose.entries import attach_samples, shown_in_full
from relay.ledger import DigestReads
from relay.model import Digest, Entry, MessageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestBuilder:
    """Builds digests as of `now` from one snapshot of the ledger."""

    reads: DigestReads
    full_errors: int
    """How many errors are shown in full, with a timeline and a sample."""
    now: datetime

    def build(
        self,
        *,
        id: str,  # noqa: A002 -- the digest's own field
        kind: MessageKind,
        route: str,
        recipients: tuple[str, ...],
        entries: Sequence[Entry],
        notes: Sequence[str] = (),
    ) -> Digest:
        """Return a digest of these entries. It belongs to a thread only if it is about a single failure."""
        shown = self._with_samples(entries)
        failures = [each for each in shown if each.echo_of is None]
        return Digest(
            id=id,
            kind=kind,
            route=route,
            recipients=recipients,
            created_at=self.now,
            entries=tuple(shown),
            books=self.reads.books(self.now),
            notes=tuple(notes),
            thread=self.reads.first_message_id(failures[0].group_id) if len(failures) == 1 else "",
        )

    def _with_samples(self, entries: Sequence[Entry]) -> list[Entry]:
        """Attach timelines and samples to the entries shown in full, and link entries that are one failure."""
        full = shown_in_full(entries, self.full_errors)
        timelines = self.reads.timelines({each.group_id: each.episode_since for each in full}, self.now)
        return correlate(attach_samples(entries, timelines, self.reads.samples([each.group_id for each in full])))
