"""One look at everything: what each route is told now, and what is made good to whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from relay.compose import notes
from relay.compose.entries import entry, merged
from relay.config import Settings
from relay.digest.letters import DigestWriter
from relay.digest.removed import route_of
from relay.digest.spending import Paid, pay, sentences
from relay.ledger import DeadTotal, DigestTransaction
from relay.model import Entry, Group, Level, MessageKind, Phase, Route, UpstreamState
from relay.schedule.group import back_on_schedule, mark_reported, scheduled
from relay.schedule.route import MAX_ENTRIES, DueDigest, due_digest

DUE_LIMIT = 20_000
DEAD_LIMIT = 10
"""Dead letters told of in one digest; the next one tells of more."""


class Tick:
    """What is done at one moment, in one transaction; `due` is how many groups had their turn."""

    def __init__(
        self, tx: DigestTransaction, letters: DigestWriter, settings: Settings, now: datetime, *, caught_up: bool
    ) -> None:
        self._tx = tx
        self._letters = letters
        self._routes = settings.routes
        self._budget = settings.budget
        self._zone = settings.time.tz
        self._now = now
        self._caught_up = caught_up
        self._upstream = UpstreamState()
        self._gone: Sequence[str] = ()
        self.due = 0

    def run(self, upstream: UpstreamState, strangers: Iterable[tuple[str, str]], gone: Sequence[str]) -> None:
        """Tell each route what is due, then each recipient what was held back.

        `upstream` is what is known of it; `strangers` are to get nothing more (route and recipient); the last route
        also tells of the dead letters of those that are `gone`.
        """
        self._upstream, self._gone = upstream, gone
        self._bring_home()
        for name, recipient in strangers:
            self._dismiss(name, recipient)
        for name, groups in self._due_by_route().items():
            self._tell(route_of(self._routes, name), groups)
        for name, recipient in self._tx.deferred_recipients():
            self._make_good(route_of(self._routes, name), recipient)

    def _bring_home(self) -> None:
        """Give a turn to what a wrong clock has put off for days."""
        stranded = self._tx.stranded_groups(self._now)
        home = [back_on_schedule(group, route_of(self._routes, group.route).timing, self._now) for group in stranded]
        self._tx.save(after for before, after in zip(stranded, home, strict=True) if after != before)

    def _due_by_route(self) -> Mapping[str, list[Group]]:
        by_route: dict[str, list[Group]] = defaultdict(list)
        for group in self._tx.due_groups(self._now, limit=DUE_LIMIT):
            by_route[group.route].append(group)
            self.due += 1
        if self.due >= DUE_LIMIT:  # one route's flood must not hide another's news
            for route in self._routes:
                by_route[route.name] = by_route[route.name] or self._tx.pending_groups(route.name, limit=MAX_ENTRIES)
        return by_route

    # --- A digest -----------------------------------------------------------------------------------------------------

    def _tell(self, route: Route, due: Sequence[Group]) -> None:
        """Freeze a digest for the route if it is its turn and somebody may have it."""
        due = self._rescheduled(due, route)
        last_digest_at = self._tx.route_state(route.name).last_digest_at
        due_turn = self._turn(route, due, last_digest_at)
        if due_turn is None:
            return
        waiting = {recipient for name, recipient in self._tx.deferred_recipients() if name == route.name}
        free = self._tx.free_recipients(route.name, route.recipients) - waiting
        paid = pay(self._tx, free, self._budget, self._now, critical=due_turn.critical)
        if paid:
            if len(due_turn.groups) < MAX_ENTRIES:
                due_turn = self._turn(route, [*due, *self._riders(route)], last_digest_at) or due_turn
            self._freeze(route, due_turn, paid, last_digest_at)

    def _rescheduled(self, groups: Sequence[Group], route: Route) -> list[Group]:
        """The groups with their turns as the settings have them now: a mute or a new timing may have moved them."""
        anew = [scheduled(group, route.timing) for group in groups]
        self._tx.save(after for before, after in zip(groups, anew, strict=True) if after is not before)
        return anew

    def _turn(self, route: Route, groups: Iterable[Group], last_digest_at: datetime | None) -> DueDigest | None:
        return due_digest(
            route.name,
            {group.id: group for group in groups}.values(),
            last_digest_at=last_digest_at,
            timing=route.timing,
            now=self._now,
            caught_up=self._caught_up,
        )

    def _riders(self, route: Route) -> list[Group]:
        """What goes along in any digest: errors nobody has been told of, and those that have ended."""
        fresh = self._tx.pending_groups(route.name, phase=Phase.FRESH, limit=MAX_ENTRIES)
        return fresh + self._tx.quiet_groups(route.name, self._now - route.timing.ended_after)

    def _freeze(
        self, route: Route, chosen: DueDigest, paid: Mapping[str, Paid], last_digest_at: datetime | None
    ) -> None:
        now, zone = self._now, self._zone
        dead = self._dead(route)
        said = [
            *self._outage(chosen, last_digest_at),
            *sentences(paid, self._budget, now, interval=route.timing.interval, zone=zone),
            *(notes.digest_died(d.subject, d.mails, d.occurrences, d.created_at, now, zone) for d in dead),
        ]
        entries = [entry(group, why) for group, why in chosen.groups]
        digest, rendered = self._letters.write(MessageKind.DIGEST, route.name, route.recipients, entries, said)
        self._tx.enqueue(
            digest,
            rendered,
            queued=list(paid),
            deferred=[recipient for recipient in route.recipients if recipient not in paid],
            dead=[each.id for each in dead],
        )
        self._tx.save(mark_reported(group, why, route.timing, now) for group, why in chosen.groups)

    def _dead(self, route: Route) -> list[DeadTotal]:
        """The dead letters that this route's digest tells of, the oldest first."""
        names = [route.name, *self._gone] if route.name == self._routes[-1].name else [route.name]
        return [each for name in names for each in self._tx.dead_totals(name)][:DEAD_LIMIT]

    def _outage(self, chosen: DueDigest, last_digest_at: datetime | None) -> list[str]:
        """The sentence on the last outage, in the first digest after it, if it kept news waiting."""
        since, until = self._upstream.outage_since, self._upstream.outage_until
        if since is None or until is None or (last_digest_at is not None and last_digest_at >= until):
            return []
        waited = any(group.pending_since and group.pending_since < until for group, _ in chosen.groups)
        return [notes.upstream_was_down(since, until, self._now, self._zone)] if waited else []

    # --- A follow-up --------------------------------------------------------------------------------------------------

    def _make_good(self, route: Route, recipient: str) -> None:
        """Fold what was held back for the recipient into one letter, if it may have one now."""
        if recipient not in route.recipients:
            self._dismiss(route.name, recipient)
            return
        if not self._tx.free_recipients(route.name, [recipient]):
            return
        covered, entries = self._held_back(route.name, recipient)
        critical = any(each.level >= Level.CRITICAL for each in entries)
        paid = pay(self._tx, [recipient], self._budget, self._now, critical=critical)
        if paid:
            said = sentences(paid, self._budget, self._now, interval=route.timing.interval, zone=self._zone)
            digest, rendered = self._letters.write(MessageKind.CATCH_UP, route.name, (recipient,), entries, said)
            self._tx.enqueue(digest, rendered, queued=[recipient], covers=covered)

    def _dismiss(self, route: str, recipient: str) -> None:
        self._tx.abandon(route, recipient, "no longer a recipient of this route", self._now)

    def _held_back(self, route: str, recipient: str) -> tuple[list[str], list[Entry]]:
        """The letters held back for the recipient, oldest first, as many as one mail may hold; and what they told."""
        letters: list[str] = []
        entries: list[Entry] = []
        for letter in self._tx.deferred_messages(route, recipient):
            if len(entries) >= MAX_ENTRIES:
                break
            letters.append(letter)
            entries = merged([*entries, *self._tx.entries([letter])])
        return letters, entries
