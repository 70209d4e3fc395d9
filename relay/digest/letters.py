"""Makes a digest of entries and has it rendered, within the transaction that will freeze it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import structlog

from relay.compose.correlate import correlate
from relay.compose.entries import illustrate, shown_in_full
from relay.compose.render import Renderer
from relay.config import Settings
from relay.ledger import SchedulingTransaction
from relay.model import Digest, Entry, LetterKind, Rendered

log = structlog.get_logger()


class Frozen(NamedTuple):
    """A digest and the mail it became."""

    digest: Digest
    rendered: Rendered


class Letters:
    """What one tick writes; `frozen` is what it has written so far."""

    def __init__(self, tx: SchedulingTransaction, renderer: Renderer, settings: Settings, now: datetime) -> None:
        self._tx = tx
        self._renderer = renderer
        self._full = settings.digest.full_errors
        self._now = now
        self.frozen: list[Frozen] = []

    def write(
        self, kind: LetterKind, route: str, recipients: tuple[str, ...], entries: Sequence[Entry], notes: Sequence[str]
    ) -> Frozen:
        """A digest of these entries as of now, with the books and its thread, rendered. Raises TemplateError."""
        told = self._illustrated(entries)
        failures = [each for each in told if each.echo_of is None]
        digest = Digest(
            id=secrets.token_hex(16),
            kind=kind,
            route=route,
            recipients=recipients,
            created_at=self._now,
            entries=tuple(told),
            books=self._tx.books(self._now),
            notes=tuple(notes),
            thread=self._tx.first_message_id(failures[0].group_id) if len(failures) == 1 else "",
        )
        self.frozen.append(Frozen(digest, self._render(digest)))
        return self.frozen[-1]

    def _illustrated(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, those that are shown in full with course and sample, and which of them are one failure."""
        full = shown_in_full(entries, self._full)
        courses = self._tx.courses({each.group_id: each.episode_since for each in full}, self._now)
        return correlate(illustrate(entries, courses, self._tx.samples([each.group_id for each in full])))

    def _render(self, digest: Digest) -> Rendered:
        """Render the digest; whatever a sample does to the renderer, it must not keep the counts back."""
        try:
            return self._renderer.digest(digest)
        except Exception:
            log.exception("a digest could not be rendered and goes out without samples", digest=digest.id)
            return self._renderer.digest(replace(digest, entries=tuple(illustrate(digest.entries, {}, {}))))
