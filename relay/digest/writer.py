"""Build and render the digests of one tick, inside the transaction that enqueues them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import structlog

from relay.compose.entries import attach_samples
from relay.compose.render import Renderer
from relay.config import Settings
from relay.digest.build import DigestBuilder
from relay.ledger import DigestTransaction
from relay.model import Digest, Entry, MessageKind, Rendered

log = structlog.get_logger()


class RenderedDigest(NamedTuple):
    """A digest and its rendered mail."""

    digest: Digest
    rendered: Rendered


class DigestWriter:
    """Writes the digests of one tick; `written` holds those written so far."""

    def __init__(self, tx: DigestTransaction, renderer: Renderer, settings: Settings, now: datetime) -> None:
        self._builder = DigestBuilder(reads=tx, full_errors=settings.digest.full_errors, now=now)
        self._renderer = renderer
        self.written: list[RenderedDigest] = []

    def write(
        self, kind: MessageKind, route: str, recipients: tuple[str, ...], entries: Sequence[Entry], notes: Sequence[str]
    ) -> RenderedDigest:
        """Build and render a digest of these entries, with the books and its thread. Raises TemplateError."""
        digest = self._builder.build(
            id=secrets.token_hex(16), kind=kind, route=route, recipients=recipients, entries=entries, notes=notes
        )
        self.written.append(RenderedDigest(digest, self._render(digest)))
        return self.written[-1]

    def _render(self, digest: Digest) -> Rendered:
        """Render the digest, without samples if a sample makes the renderer fail: the counts must go out anyway."""
        try:
            return self._renderer.digest(digest)
        except Exception:
            log.exception("rendering failed; the digest goes out without samples", digest=digest.id)
            return self._renderer.digest(replace(digest, entries=tuple(attach_samples(digest.entries, {}, {}))))
