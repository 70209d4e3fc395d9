"""A worker in simulated time, with the real ledger (SQLite), digest step, renderer and outbox.

Two parts are simulated. Mails enter the ledger as the ingest step would write them. The upstream is a script: it is up
or down, and it can greylist or refuse recipients. Times are written as in `timetable`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from relay.compose.render import Renderer
from relay.config import make_settings
from relay.digest import Digests
from relay.ledger import Ledger
from relay.model import (
    Attempt,
    Books,
    Failure,
    Fingerprint,
    Form,
    Level,
    RecipientReply,
    Report,
    Sample,
    Timing,
    UpstreamKey,
    Verdict,
)
from relay.outbox.step import Outbox
from relay.schedule.budget import next_at
from relay.schedule.group import arrive, open_group
from relay.schedule.route import opens_at
from tests.support.timetable import BEGIN, SECOND, arrival, at, clock, spread

SPOOL = "5" * 32
ANN, BOB = "ann@example.com", "bob@example.com"
MINUTE = timedelta(minutes=1)
FIRST_WAIT = timedelta(seconds=10)
"""How long a mail waits at least before it is reported."""


@dataclass
class Received:
    """One mail in the inbox of a recipient."""

    line: str
    """`0:00:10 new boom 28`; a catch-up digest has a `+` before its errors."""
    mail: EmailMessage

    @property
    def text(self) -> str:
        """The text on one line, since the mail wraps its lines."""
        part = self.mail.get_body(("plain",))
        assert part is not None
        return " ".join(part.get_content().split())


@dataclass
class ScriptedUpstream:
    """The upstream of the story (a `deliver.Target`): up or down, with recipients that it greylists or refuses."""

    receive: Callable[[EmailMessage, str], None]
    down: bool = False
    greylists: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)
    max_duration = MINUTE

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Accept the mail for the recipients that are neither greylisted nor refused."""
        if self.down:
            return Attempt(replies={}, failure=Failure.UNREACHABLE, detail="no route")
        before_data()
        answers = {recipient: self._answer(recipient) for recipient in recipients}
        for recipient, answer in answers.items():
            if answer.verdict is Verdict.ACCEPTED:
                self.receive(message_from_bytes(raw, policy=policy.default), recipient)
        return Attempt(replies=answers)

    def abort(self) -> None:
        """Nothing to abort: `deliver` returns at once."""

    def _answer(self, recipient: str) -> RecipientReply:
        if recipient in self.refuses:
            return RecipientReply(verdict=Verdict.PERMANENT, code=550, text="no such user")
        if recipient in self.greylists:
            return RecipientReply(verdict=Verdict.TEMPORARY, code=451, text="greylisted")
        return RecipientReply(verdict=Verdict.ACCEPTED, code=250, text="ok")


class World:
    """A simulated relay: mails in, digests out.

    `inboxes` are the mails of each recipient, `reported` the occurrences by recipient and title.
    """

    def __init__(self, folder: Path, *, admins: tuple[str, ...] = (ANN,), **tables: Any) -> None:
        self.settings = make_settings(folder, admins=admins, sender="relay@example.com", **tables)
        self.ledger = Ledger.open(self.settings.storage.ledger_url)
        self.renderer = Renderer(None, limits=self.settings.digest, zone=self.settings.time.tz, sender="relay@x.org")
        self.digests = self.worker("one")
        self.upstream = ScriptedUpstream(self._receive)
        self.outbox = Outbox(self.ledger, self.upstream, self.settings, "one", lambda: 0.0)
        self.upstream_key = UpstreamKey(worker="one", target=self.settings.upstream.target)
        self.now = BEGIN
        self.caught_up = True
        self.inboxes: dict[str, list[Received]] = defaultdict(list)
        self.reported: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.upcoming: dict[datetime, list[tuple[str, int, Level, str]]] = defaultdict(list)
        self._due_times: set[datetime] = set()

    def worker(self, name: str, settings: Any = None) -> Digests:
        """The digest step of another worker on the same ledger, with other settings if given."""
        return Digests(self.ledger, self.renderer, settings or self.settings, name)

    # --- What happens ---------------------------------------------------------------------------------------------

    def mail(
        self, clock: str, title: str = "boom", count: int = 1, *, level: Level = Level.ERROR, route: str = "admins"
    ) -> None:
        """Schedule `count` equal mails at one time."""
        self.upcoming[at(clock)].append((title, count, level, route))

    def flood(self, total: int, begin: str, end: str, title: str = "boom", *, every: int = 1) -> None:
        """Schedule `total` equal mails, spread evenly with one slot every `every` seconds."""
        for time, count in spread(total, begin, end, every=every).items():
            self.upcoming[time].append((title, count, Level.ERROR, "admins"))

    def until(self, clock: str) -> dict[str, list[str]]:
        """Run until this time. Returns what each recipient has received since the last call."""
        before = {recipient: len(mails) for recipient, mails in self.inboxes.items()}
        while self.now < at(clock):
            if self.now in self.upcoming:
                self._ingest(self.upcoming.pop(self.now))
            busy = self.digests.step(self.now, caught_up=self.caught_up)
            busy |= self._send()
            later = (time for time in self._event_times() if time > self.now)
            self.now = self.now + SECOND if busy else min([at(clock), *later])
        return {
            recipient: [mail.line for mail in mails[before.get(recipient, 0) :]]
            for recipient, mails in self.inboxes.items()
            if len(mails) > before.get(recipient, 0)
        }

    def _event_times(self) -> list[datetime]:
        """When something can happen next: a mail, a due group, the end of a gap, a retry, a token.

        At most half an hour ahead, in case one is missing.
        """
        wanted = [
            self.ledger.next_due_at(),
            self.ledger.next_try_at(),
            self.ledger.upstream(self.upstream_key).next_try_at,
        ]
        timing, limits = self.settings.timing, self.settings.budget
        gap_ends = [
            opens_at(state, timing, self.now, news=news)
            for state in self.ledger.route_states().values()
            for news in (False, True)
        ]
        tokens = [
            next_at(state, limits, self.now, critical=critical)
            for state in self.ledger.all_budgets().values()
            for critical in (False, True)
        ]
        certain = [*self.upcoming, *self._due_times, *tokens, self.now + 30 * MINUTE]
        return certain + [time for time in (*wanted, *gap_ends) if time]

    # --- The simulated parts --------------------------------------------------------------------------------------

    def _ingest(self, mails: list[tuple[str, int, Level, str]]) -> None:
        """Write one batch to the ledger, as the ingest step would do now."""
        position = self.ledger.cursor(SPOOL)
        with self.ledger.ingesting(SPOOL, position) as tx:
            found = tx.groups([(route, "shop", title) for title, _, _, route in mails])
            for title, count, level, route in mails:
                key, arrived = (route, "shop", title), arrival(self.now, count, level)
                error = Fingerprint(version=1, key=title, title=title)
                group = found.get(key) or open_group(route=route, app="shop", fingerprint=error, arrival=arrived)
                last_hour = tx.occurrences_after(group.id, self.now - 60 * MINUTE)
                after = arrive(group, arrived, self._timing(route), last_hour=last_hour)
                found |= tx.save([after])
                tx.count(found[key].id, arrived.minutes)
                tx.sample(found[key].id, Sample(at=self.now, report=_report(title, level)))
                tx.book(received=count, muted=count - (after.pending_mails - group.pending_mails))
            tx.advance(position + 1)
        self._due_times = {time for time in self._due_times if time > self.now} | {self.now + FIRST_WAIT}

    def _timing(self, name: str) -> Timing:
        return next(route.timing for route in self.settings.all_routes if route.name == name)

    def _send(self) -> bool:
        """Run the outbox until it has nothing to do."""
        busy = False
        while self.outbox.step(self.now):
            busy = True
        return busy

    def _receive(self, mail: EmailMessage, recipient: str) -> None:
        (message,) = (each for each in self.ledger.messages(limit=10_000) if each.message_id == mail["Message-ID"])
        entries = self.ledger.entries_of(message.id)
        for entry in entries:
            self.reported[recipient][entry.title] += entry.occurrences
        errors = ", ".join(f"{entry.reason.value} {entry.title} {entry.occurrences}" for entry in entries)
        sign = "+" if message.kind == "follow-up" else ""
        self.inboxes[recipient].append(Received(f"{clock(self.now)} {sign}{errors}", mail))

    # --- Results ----------------------------------------------------------------------------------------------------

    @property
    def books(self) -> Books:
        """The books as of now."""
        return self.ledger.books(self.now)

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()


def _report(title: str, level: Level) -> Report:
    return Report(
        form=Form.DOCUMENTED,
        subject="Failed",
        sender="shop@example.com",
        app="shop",
        level=level,
        message=f"{title} broke",
        trace=f'Traceback (most recent call last):\n  File "shop.py", line 7, in checkout\n{title}: broke',
    )
