"""What the pending errors would look like if each route were told now (for `relay render`): reads, changes nothing."""

from __future__ import annotations

from datetime import datetime

from relay.compose.correlate import correlate
from relay.compose.entries import entry, illustrate, shown_in_full
from relay.compose.render import Renderer
from relay.config import Settings
from relay.ledger import GroupOrder, Ledger
from relay.model import Digest, Entry, Group, LetterKind, Reason, Rendered, Route
from relay.schedule.group import reason
from relay.schedule.route import MAX_ENTRIES


def preview(ledger: Ledger, renderer: Renderer, settings: Settings, now: datetime) -> list[Rendered]:
    """Render one digest for each route that has something pending, whether or not its time has come."""
    found = []
    for route in settings.routes:
        groups = ledger.groups(limit=MAX_ENTRIES, order=GroupOrder.PENDING, route=route.name)
        if entries := [_entry(group, route, now) for group in groups if group.pending_mails]:
            found.append(renderer.digest(_digest(ledger, settings, route, entries, now)))
    return found


def _entry(group: Group, route: Route, now: datetime) -> Entry:
    turn = max(now, group.due_at or now)  # the reason it will have when its turn comes
    return entry(group, reason(group, route.timing, turn) or Reason.ONGOING)


def _digest(ledger: Ledger, settings: Settings, route: Route, entries: list[Entry], now: datetime) -> Digest:
    full = shown_in_full(entries, settings.digest.full_errors)
    courses = {each.group_id: ledger.course(each.group_id, each.episode_since, now) for each in full}
    samples = {each.group_id: ledger.samples_of(each.group_id) for each in full}
    illustrated = illustrate(
        entries,
        {group_id: course for group_id, course in courses.items() if course},
        {group_id: found[0].report for group_id, found in samples.items() if found},
    )
    return Digest(
        id="0" * 32,
        kind=LetterKind.DIGEST,
        route=route.name,
        recipients=route.recipients,
        created_at=now,
        entries=tuple(correlate(illustrated)),
        books=ledger.books(now),
    )
