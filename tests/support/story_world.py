"""A worker run through time: the ledger (SQLite), the digest step, the renderer and the outbox are the real ones.

Two ends are the story's own: mails come in as what `sort` would have made of them, and the upstream is a script that
is up or down and knows recipients whom it puts off or refuses. Time is written as in `timetable`.
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
    Verdict,
)
from relay.outbox.step import Outbox
from relay.schedule.budget import next_at
from relay.schedule.group import arrive, open_group
from tests.support.timetable import BEGIN, SECOND, arrival, at, clock, spread

SPOOL = "5" * 32
ANN, BOB = "ann@example.com", "bob@example.com"
MINUTE = timedelta(minutes=1)
TURN = timedelta(seconds=10)
"""After which a mail may be told."""


@dataclass
class Received:
    """One mail as a recipient has it."""

    line: str
    """`0:00:10 new boom 28`, a follow-up with a `+` before its errors."""
    mail: EmailMessage

    @property
    def text(self) -> str:
        """What stands in it, in one line: mails are wrapped anywhere."""
        part = self.mail.get_body(("plain",))
        assert part is not None
        return " ".join(part.get_content().split())


@dataclass
class Post:
    """The upstream of the story (a `deliver.Target`): up or down, with recipients whom it puts off or refuses."""

    receive: Callable[[EmailMessage, str], None]
    down: bool = False
    puts_off: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)
    longest = MINUTE

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Take the mail for those it likes."""
        if self.down:
            return Attempt(replies={}, failure=Failure.UNREACHABLE, detail="no route")
        before_data()
        answers = {recipient: self._answer(recipient) for recipient in recipients}
        for recipient, answer in answers.items():
            if answer.verdict is Verdict.ACCEPTED:
                self.receive(message_from_bytes(raw, policy=policy.default), recipient)
        return Attempt(replies=answers)

    def abort(self) -> None:
        """Nothing is ever under way."""

    def _answer(self, recipient: str) -> RecipientReply:
        if recipient in self.refuses:
            return RecipientReply(verdict=Verdict.PERMANENT, code=550, text="no such user")
        if recipient in self.puts_off:
            return RecipientReply(verdict=Verdict.TEMPORARY, code=451, text="greylisted")
        return RecipientReply(verdict=Verdict.ACCEPTED, code=250, text="ok")


class World:
    """Mails in, digests out."""

    def __init__(self, folder: Path, *, admins: tuple[str, ...] = (ANN,), **tables: Any) -> None:
        self.settings = make_settings(folder, admins=admins, sender="relay@example.com", **tables)
        self.ledger = Ledger.open(self.settings.storage.ledger_url)
        self.renderer = Renderer(None, limits=self.settings.digest, zone=self.settings.time.tz, sender="relay@x.org")
        self.digests = self.worker("one")
        self.post = Post(self._receive)
        self.outbox = Outbox(self.ledger, self.post, self.settings, "one", lambda: 0.0)
        self.now = BEGIN
        self.caught_up = True
        self.inboxes: dict[str, list[Received]] = defaultdict(list)
        self.told: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._coming: dict[datetime, list[tuple[str, int, Level, str]]] = defaultdict(list)
        self._turns: set[datetime] = set()

    def worker(self, name: str, settings: Any = None) -> Digests:
        """The digest step of one more worker on the same ledger, perhaps with other settings."""
        return Digests(self.ledger, self.renderer, settings or self.settings, name)

    # --- What happens ---------------------------------------------------------------------------------------------

    def mail(
        self, clock: str, title: str = "boom", count: int = 1, *, level: Level = Level.ERROR, route: str = "admins"
    ) -> None:
        """`count` equal mails will come at one moment."""
        self._coming[at(clock)].append((title, count, level, route))

    def flood(self, total: int, begin: str, end: str, title: str = "boom", *, every: int = 1) -> None:
        """`total` equal mails will come, spread evenly over the seconds or over every so-many-eth of them."""
        for moment, count in spread(total, begin, end, every=every).items():
            self._coming[moment].append((title, count, Level.ERROR, "admins"))

    def until(self, clock: str) -> dict[str, list[str]]:
        """Let time pass up to that moment; what each recipient has received since the last call."""
        before = {recipient: len(mails) for recipient, mails in self.inboxes.items()}
        while self.now < at(clock):
            if self.now in self._coming:
                self._sort(self._coming.pop(self.now))
            busy = self.digests.step(self.now, caught_up=self.caught_up)
            busy |= self._send()
            later = (moment for moment in self._moments() if moment > self.now)
            self.now = self.now + SECOND if busy else min([at(clock), *later])
        return {
            recipient: [mail.line for mail in mails[before.get(recipient, 0) :]]
            for recipient, mails in self.inboxes.items()
            if len(mails) > before.get(recipient, 0)
        }

    def _moments(self) -> list[datetime]:
        """When something may happen next: a mail, a turn, a tick, a try, a token; half an hour at the latest."""
        wanted = [self.ledger.next_due_at(), self.ledger.next_try_at(), self.ledger.upstream().next_try_at]
        interval, limits = self.settings.timing.interval, self.settings.budget
        ticks = [
            state.last_digest_at and state.last_digest_at + interval for state in self.ledger.route_states().values()
        ]
        tokens = [
            next_at(state, limits, self.now, critical=critical)
            for state in self.ledger.all_budgets().values()
            for critical in (False, True)
        ]
        sure = [*self._coming, *self._turns, *tokens, self.now + 30 * MINUTE]
        return sure + [moment for moment in (*wanted, *ticks) if moment]

    # --- The two ends ---------------------------------------------------------------------------------------------

    def _sort(self, mails: list[tuple[str, int, Level, str]]) -> None:
        """One batch of the sorter, as of now."""
        position = self.ledger.cursor(SPOOL)
        with self.ledger.ingesting(SPOOL, position) as tx:
            found = tx.groups([(route, "shop", title) for title, _, _, route in mails])
            for title, count, level, route in mails:
                key, came = (route, "shop", title), arrival(self.now, count, level)
                error = Fingerprint(version=1, key=title, title=title)
                group = found.get(key) or open_group(route=route, app="shop", fingerprint=error, arrival=came)
                found |= tx.save([arrive(group, came, self._timing(route))])
                tx.count(found[key].id, came.minutes)
                tx.sample(found[key].id, Sample(at=self.now, report=_report(title, level)))
                tx.book(received=count)
            tx.advance(position + 1)
        self._turns = {moment for moment in self._turns if moment > self.now} | {self.now + TURN}

    def _timing(self, name: str) -> Timing:
        return next(route.timing for route in self.settings.routes if route.name == name)

    def _send(self) -> bool:
        """The outbox's steps, as long as it has something to do."""
        busy = False
        while self.outbox.step(self.now):
            busy = True
        return busy

    def _receive(self, mail: EmailMessage, recipient: str) -> None:
        (letter,) = (each for each in self.ledger.messages(limit=10_000) if each.message_id == mail["Message-ID"])
        entries = self.ledger.entries_of(letter.id)
        for entry in entries:
            self.told[recipient][entry.title] += entry.occurrences
        errors = ", ".join(f"{entry.reason.value} {entry.title} {entry.occurrences}" for entry in entries)
        sign = "+" if letter.kind == "follow-up" else ""
        self.inboxes[recipient].append(Received(f"{clock(self.now)} {sign}{errors}", mail))

    # --- What is looked at ------------------------------------------------------------------------------------------

    @property
    def books(self) -> Books:
        """Where every mail is now."""
        return self.ledger.books(self.now)

    def close(self) -> None:
        """Let go of the database."""
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
