"""Makes a digest of entries and has it rendered, within the transaction that will freeze it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import structlog

from relay.compose.entries import illustrate
from relay.compose.render import Renderer
from relay.config import Settings
from relay.digest.build import DigestBuilder
from relay.ledger import DigestTransaction
from relay.model import Digest, Entry, MessageKind, Rendered

log = structlog.get_logger()


class EnqueuedDigest(NamedTuple):
    """A digest and the mail it became."""

    digest: Digest
    rendered: Rendered


class DigestWriter:
    """What one tick writes; `frozen` is what it has written so far."""

    def __init__(self, tx: DigestTransaction, renderer: Renderer, settings: Settings, now: datetime) -> None:
        self._builder = DigestBuilder(reads=tx, full_errors=settings.digest.full_errors, now=now)
        self._renderer = renderer
        self.frozen: list[EnqueuedDigest] = []

    def write(
        self, kind: MessageKind, route: str, recipients: tuple[str, ...], entries: Sequence[Entry], notes: Sequence[str]
    ) -> EnqueuedDigest:
        """A digest of these entries as of now, with the books and its thread, rendered. Raises TemplateError."""
        digest = self._builder.build(
            id=secrets.token_hex(16), kind=kind, route=route, recipients=recipients, entries=entries, notes=notes
        )
        self.frozen.append(EnqueuedDigest(digest, self._render(digest)))
        return self.frozen[-1]

    def _render(self, digest: Digest) -> Rendered:
        """Render the digest; whatever a sample does to the renderer, it must not keep the counts back."""
        try:
            return self._renderer.digest(digest)
        except Exception:
            log.exception("a digest could not be rendered and goes out without samples", digest=digest.id)
            return self._renderer.digest(replace(digest, entries=tuple(illustrate(digest.entries, {}, {}))))
