"""A whole worker run through time: the ledger on SQLite, the digest step and the renderer are the real ones.

Two ends are the story's own: mails come in as what `sort` would have made of them, and the upstream is a script that
is up or down and knows recipients whom it puts off or refuses. Time is written as in `timetable`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from relay.budget import next_at
from relay.config import Timing, make_settings
from relay.digest import Digests
from relay.ledger import Ledger, Outcome
from relay.model import Answer, Books, Fingerprint, Form, Letter, Level, Report, Sample, Trouble, Verdict
from relay.render import Renderer
from relay.retry import after_answer, after_success, after_trouble, upstream_ready
from relay.schedule import arrive, open_group
from tests.stories.timetable import BEGIN, SECOND, arrival, at, clock, spread

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
    """The upstream of the story."""

    down: bool = False
    puts_off: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)

    def verdict(self, recipient: str) -> Verdict:
        """What it says of one recipient."""
        if recipient in self.refuses:
            return Verdict.NEVER
        return Verdict.LATER if recipient in self.puts_off else Verdict.TAKEN


class World:
    """Mails in, digests out."""

    def __init__(self, folder: Path, *, admins: tuple[str, ...] = (ANN,), **tables: Any) -> None:
        self.settings = make_settings(folder, admins=admins, sender="relay@example.com", **tables)
        self.ledger = Ledger.open(self.settings.storage.ledger_url)
        self.renderer = Renderer(None, limits=self.settings.digest, zone=self.settings.time.tz, sender="relay@x.org")
        self.digests = self.worker("one")
        self.post = Post()
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
        with self.ledger.sorting(SPOOL, position) as tx:
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
        """The outbox: hand over what is to be tried now, as long as the upstream lets us."""
        busy = False
        while upstream_ready(self.ledger.upstream(), self.now):
            letter = self.ledger.claim_letter("one", self.now, MINUTE)
            if letter is None:
                break
            self.ledger.mark_ambiguous(letter)
            self.ledger.settle(letter, self._hand_over(letter), self.now)
            busy = True
        return busy

    def _hand_over(self, letter: Letter) -> Outcome:
        retry, state = self.settings.upstream, self.ledger.upstream()
        if self.post.down:
            state = after_trouble(state, Trouble.UNREACHABLE, "no route", retry=retry, jitter=0.0, now=self.now)
            self.ledger.save_upstream(state)
            return Outcome(tries=letter.tries, refusals=letter.refusals, ambiguous=False, next_try_at=state.next_try_at)
        self.ledger.save_upstream(after_success(state, self.now))
        verdicts = {recipient: self.post.verdict(recipient) for recipient in letter.recipients}
        again = {
            recipient: after_answer(letter, verdict, retry=retry, jitter=0.0, now=self.now)
            for recipient, verdict in verdicts.items()
        }
        sent = frozenset(recipient for recipient, verdict in verdicts.items() if verdict is Verdict.TAKEN)
        for recipient in sorted(sent):
            self._receive(letter, recipient)
        return Outcome(
            sent=sent,
            refused=frozenset(recipient for recipient, moment in again.items() if moment is None) - sent,
            words={recipient: Answer(verdict=verdict, code=0, text="") for recipient, verdict in verdicts.items()},
            next_try_at=min((moment for moment in again.values() if moment), default=None),
            tries=letter.tries + (sent != set(verdicts)),
            refusals=letter.refusals + (Verdict.NEVER in verdicts.values()),
            ambiguous=False,
        )

    def _receive(self, letter: Letter, recipient: str) -> None:
        entries = self.ledger.entries_of(letter.id)
        for entry in entries:
            self.told[recipient][entry.title] += entry.occurrences
        errors = ", ".join(f"{entry.reason.value} {entry.title} {entry.occurrences}" for entry in entries)
        mail = message_from_bytes(letter.raw, policy=policy.default)
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
