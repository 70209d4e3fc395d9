"""Render what each route would report if it were due now (for `relay render`); nothing is changed or sent."""

from __future__ import annotations

from datetime import datetime

from relay.compose.entries import entry
from relay.compose.render import Renderer
from relay.config import Settings
from relay.digest.build import DigestBuilder
from relay.ledger import GroupOrder, Ledger
from relay.model import Entry, Group, MessageKind, Reason, Rendered, Route
from relay.schedule.group import reason
from relay.schedule.route import MAX_ENTRIES

NO_ID = "0" * 32


def preview(ledger: Ledger, renderer: Renderer, settings: Settings, now: datetime) -> list[Rendered]:
    """Render one digest for each route that has pending mails, whether or not they are due. Raises TemplateError."""
    found = []
    for route in settings.all_routes:
        groups = ledger.groups(limit=MAX_ENTRIES, order=GroupOrder.PENDING, route=route.name)
        if entries := [_entry(group, route, now) for group in groups if group.pending_occurrences]:
            with ledger.snapshot() as reads:
                builder = DigestBuilder(reads=reads, full_errors=settings.digest.full_errors, now=now)
                digest = builder.build(
                    id=NO_ID, kind=MessageKind.DIGEST, route=route.name, recipients=route.recipients, entries=entries
                )
            found.append(renderer.digest(digest))
    return found


def _entry(group: Group, route: Route, now: datetime) -> Entry:
    """Return the entry with the reason that the group will have when it is due."""
    due_at = max(now, group.due_at or now)
    return entry(group, reason(group, route.timing, due_at) or Reason.ONGOING)
