"""Build a digest of entries: with timelines and samples, the books of one moment, and its thread (ledger → render).

The tick builds the digests that are sent, the preview those that are only looked at; both build them here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from relay.compose.correlate import correlate
from relay.compose.entries import illustrate, shown_in_full
from relay.ledger import DigestReads
from relay.model import Digest, Entry, MessageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestBuilder:
    """Builds the digests of one moment from one snapshot of the ledger."""

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
        """A digest of these entries; it belongs to a thread where it is about one failure alone."""
        shown = self._illustrated(entries)
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

    def _illustrated(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries; those shown in full get timeline and sample, and those that are one failure are tied."""
        full = shown_in_full(entries, self.full_errors)
        courses = self.reads.timelines({each.group_id: each.episode_since for each in full}, self.now)
        return correlate(illustrate(entries, courses, self.reads.samples([each.group_id for each in full])))
