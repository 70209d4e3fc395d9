"""One check of all groups: the digest that each route reports now, and the catch-up digest of each recipient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from relay.compose import notes
from relay.compose.entries import entry, merged
from relay.config import Settings
from relay.digest.removed import route_of
from relay.digest.spending import Charge, budget_notes, charge_budgets
from relay.digest.writer import DigestWriter
from relay.ledger import DeadTotal, DigestTransaction
from relay.model import Entry, Group, Level, MessageKind, Phase, Route, RouteState, UpstreamState
from relay.schedule.group import clamp_future_times, mark_reported, reschedule
from relay.schedule.merge import absorb
from relay.schedule.mutes import forget
from relay.schedule.route import MAX_ENTRIES, DueDigest, after_digest, due_digest, opens_at

DUE_LIMIT = 20_000
"""The most due groups that one tick reads."""
MUTE_LIMIT = 10
"""The most mutes whose end one digest reports; the next digest reports more."""
DEAD_LIMIT = 10
"""The most dead letters that one digest reports; the next digest reports more."""


STEERED_LIMIT = 10
"""The most merges and splits that one digest names; the audit log has all of them."""


class Tick:
    """All decisions of one tick, in one transaction; `due_count` is how many groups were due."""

    def __init__(
        self, tx: DigestTransaction, writer: DigestWriter, settings: Settings, now: datetime, *, caught_up: bool
    ) -> None:
        self._tx = tx
        self._writer = writer
        self._routes = settings.all_routes
        self._budget = settings.budget
        self._zone = settings.time.tz
        self._now = now
        self._caught_up = caught_up
        self._upstream = UpstreamState()
        self._removed_routes: Sequence[str] = ()
        self.due_count = 0

    def run(
        self,
        upstream: UpstreamState,
        removed_recipients: Iterable[tuple[str, str]],
        removed_routes: Sequence[str],
    ) -> None:
        """Enqueue the due digest of each route, then the catch-up digest of each recipient.

        `removed_recipients` (route and recipient) get nothing more. The last route also reports the dead letters of
        `removed_routes`.
        """
        self._upstream, self._removed_routes = upstream, removed_routes
        self._absorb_strays()
        self._clamp_future_times()
        for name, recipient in removed_recipients:
            self._abandon(name, recipient)
        for name, groups in self._due_by_route().items():
            self._report(route_of(self._routes, name), groups)
        for name, recipient in self._tx.deferred_recipients():
            self._catch_up(route_of(self._routes, name), recipient)

    def _absorb_strays(self) -> None:
        """Move what workers of an earlier release have counted on parts of merged errors to the faces."""
        for stray in self._tx.merges.strays(limit=MAX_ENTRIES):
            face = self._tx.merges.face(stray.group.id)
            if face and not stray.is_face and face.group.id != stray.group.id:
                timing = route_of(self._routes, face.group.route).timing
                group, part = absorb(face.group, stray, timing)
                self._tx.merges.save([replace(face, group=group), part])

    def _clamp_future_times(self) -> None:
        """Reschedule groups whose due time is days away because the clock was wrong."""
        stranded = self._tx.stranded_groups(self._now)
        clamped = [
            clamp_future_times(group, route_of(self._routes, group.route).timing, self._now) for group in stranded
        ]
        self._tx.save(after for before, after in zip(stranded, clamped, strict=True) if after != before)

    def _due_by_route(self) -> Mapping[str, list[Group]]:
        by_route: dict[str, list[Group]] = defaultdict(list)
        for group in self._tx.due_groups(self._now, limit=DUE_LIMIT):
            by_route[group.route].append(group)
            self.due_count += 1
        # A flood on one route can fill the limit. Then the other routes are read one by one.
        if self.due_count >= DUE_LIMIT:
            for route in self._routes:
                by_route[route.name] = by_route[route.name] or self._tx.pending_groups(route.name, limit=MAX_ENTRIES)
        return by_route

    # --- The digest of a route ----------------------------------------------------------------------------------------

    def _report(self, route: Route, due: Sequence[Group]) -> None:
        """Enqueue a digest for the route if one is due and at least one recipient can get it."""
        due = self._rescheduled(due, route)
        state = self._tx.route_state(route.name)
        chosen = self._due_digest(route, due, state)
        if chosen is None:
            return
        deferred = {recipient for name, recipient in self._tx.deferred_recipients() if name == route.name}
        free = self._tx.free_recipients(route.name, route.recipients) - deferred
        charges = charge_budgets(self._tx, free, self._budget, self._now, critical=chosen.critical)
        if charges:
            # What is included early is read only now, when it is certain that a digest goes out.
            if len(chosen.groups) < MAX_ENTRIES:
                chosen = self._due_digest(route, [*due, *self._early_groups(route)], state) or chosen
            self._enqueue(route, chosen, charges, state)

    def _rescheduled(self, groups: Sequence[Group], route: Route) -> list[Group]:
        """Reschedule the groups with the current settings: a mute or a new timing may have moved their due times."""
        after = [reschedule(group, route.timing) for group in groups]
        self._tx.save(new for old, new in zip(groups, after, strict=True) if new is not old)
        return after

    def _due_digest(self, route: Route, groups: Iterable[Group], state: RouteState) -> DueDigest | None:
        return due_digest(
            route.name,
            {group.id: group for group in groups}.values(),
            state=state,
            timing=route.timing,
            now=self._now,
            caught_up=self._caught_up,
        )

    def _early_groups(self, route: Route) -> list[Group]:
        """Return the groups that any digest includes early: errors not reported yet, and errors that have ended."""
        fresh = self._tx.pending_groups(route.name, phase=Phase.FRESH, limit=MAX_ENTRIES)
        return fresh + self._tx.quiet_groups(route.name, self._now - route.timing.ended_after)

    def _enqueue(self, route: Route, chosen: DueDigest, charges: Mapping[str, Charge], state: RouteState) -> None:
        now, zone = self._now, self._zone
        after = after_digest(state, route.timing, now, news=chosen.news)
        dead = self._dead_letters(route)
        sentences = [
            *self._outage(chosen, state.last_digest_at),
            *self._bounces(route, state.last_digest_at),
            *self._steered(route, state.last_digest_at),
            *budget_notes(charges, self._budget, now, unless_by=self._next_digest_at(route, after), zone=zone),
            *(notes.digest_undelivered(d.subject, d.mails, d.occurrences, d.created_at, now, zone) for d in dead),
        ]
        ended = self._tx.ended_mutes(route.name, now, limit=MUTE_LIMIT)
        sentences += [notes.mute_is_over(group, now, zone) for group in ended]
        entries = [entry(group, why) for group, why in chosen.groups]
        digest, rendered = self._writer.write(MessageKind.DIGEST, route.name, route.recipients, entries, sentences)
        self._tx.enqueue(
            digest,
            rendered,
            queued=list(charges),
            deferred=[recipient for recipient in route.recipients if recipient not in charges],
            dead=[each.id for each in dead],
            news_step=after.news_step if chosen.news else None,
        )
        reported = {group.id: mark_reported(group, why, route.timing, now) for group, why in chosen.groups}
        forgotten = {group.id: reschedule(forget(reported.get(group.id, group)), route.timing) for group in ended}
        self._tx.save({**reported, **forgotten}.values())

    def _next_digest_at(self, route: Route, state: RouteState) -> datetime:
        """Return the first time at which the route can report another new error, whatever the budgets."""
        return opens_at(state, route.timing, self._now + route.timing.first_wait, news=True)

    def _dead_letters(self, route: Route) -> list[DeadTotal]:
        """Return the dead letters that the digest of this route reports, the oldest first."""
        names = [route.name, *self._removed_routes] if route.name == self._routes[-1].name else [route.name]
        return [each for name in names for each in self._tx.dead_totals(name)][:DEAD_LIMIT]

    def _outage(self, chosen: DueDigest, last_digest_at: datetime | None) -> list[str]:
        """Return the note about the last outage: for the first digest after it, if it delayed any of the groups."""
        since, until = self._upstream.outage_since, self._upstream.outage_until
        if since is None or until is None or (last_digest_at is not None and last_digest_at >= until):
            return []
        delayed = any(group.pending_since and group.pending_since < until for group, _ in chosen.groups)
        return [notes.upstream_was_down(since, until, self._now, self._zone)] if delayed else []

    def _bounces(self, route: Route, last_digest_at: datetime | None) -> list[str]:
        """Return the notes about recipients whose digests bounced since the last digest, if others read this one."""
        bouncing = self._tx.bouncing(self._now)
        if set(route.recipients) <= {each.recipient for each in bouncing}:
            return []
        new = [each for each in bouncing if last_digest_at is None or each.last_at > last_digest_at]
        return [notes.digests_bounce(each, self._now, self._zone) for each in new[:DEAD_LIMIT]]

    def _steered(self, route: Route, last_digest_at: datetime | None) -> list[str]:
        """Return the notes about merges and splits since the last digest of the route."""
        done = self._tx.steered(route.name, last_digest_at, actions=notes.NAMED_IN_DIGESTS, limit=STEERED_LIMIT)
        return [notes.steered(each, self._now, self._zone) for each in done]

    # --- The catch-up digest of a recipient ---------------------------------------------------------------------------

    def _catch_up(self, route: Route, recipient: str) -> None:
        """Merge the digests deferred for the recipient into one catch-up digest, if it can get a mail now."""
        if recipient not in route.recipients:
            self._abandon(route.name, recipient)
            return
        if not self._tx.free_recipients(route.name, [recipient]):
            return
        covered, entries = self._deferred(route.name, recipient)
        critical = any(each.level >= Level.CRITICAL for each in entries)
        charges = charge_budgets(self._tx, [recipient], self._budget, self._now, critical=critical)
        if charges:
            next_at = self._next_digest_at(route, self._tx.route_state(route.name))
            sentences = budget_notes(charges, self._budget, self._now, unless_by=next_at, zone=self._zone)
            digest, rendered = self._writer.write(MessageKind.CATCH_UP, route.name, (recipient,), entries, sentences)
            self._tx.enqueue(digest, rendered, queued=[recipient], covers=covered)

    def _abandon(self, route: str, recipient: str) -> None:
        self._tx.abandon(route, recipient, "no longer a recipient of this route", self._now)

    def _deferred(self, route: str, recipient: str) -> tuple[list[str], list[Entry]]:
        """Return the ids of the messages deferred for the recipient, oldest first, and their merged entries.

        Stops at MAX_ENTRIES entries; another catch-up digest contains the rest.
        """
        ids: list[str] = []
        entries: list[Entry] = []
        for outbox_id in self._tx.deferred_messages(route, recipient):
            if len(entries) >= MAX_ENTRIES:
                break
            ids.append(outbox_id)
            entries = merged([*entries, *self._tx.entries([outbox_id])])
        return ids, entries
