"""Replay old mails through the whole relay in simulated time, into a ledger that is deleted afterwards.

For `relay replay MBOX`: which digests would have been sent, and when? Ingest, schedule and rendering are the real ones.
Three parts are simulated: the clock; the spool, which is a mailbox file whose mails arrive at the time of their Date
header; and the upstream, which accepts every digest at once.
"""

from __future__ import annotations

import mailbox
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from relay.config import Settings
from relay.data_dir import DataDir
from relay.digest import Digests
from relay.ingest.step import Ingest
from relay.ledger import Ledger, StoredMessage, sqlite_url
from relay.model import Attempt, Books, Envelope, RecipientReply, Record, Retained, Verdict
from relay.outbox.step import Outbox
from relay.schedule.budget import next_at
from relay.schedule.route import opens_at
from relay.service.assembly import make_renderer
from relay.spool import PoisonGuard

TICK = timedelta(seconds=10)
"""The longest pause between two attempts at a digest that is due but not yet allowed."""
RUN_ON = timedelta(days=1)
"""How long the replay goes on after the last mail, for closing totals and deferred digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What would have been sent: the messages, oldest first, and the books at the end."""

    messages: tuple[StoredMessage, ...]
    books: Books


def read_mbox(path: Path) -> list[Record]:
    """Read a mailbox file into records, ordered by their dates (UTC).

    A mail without a usable date gets the date of the mail before it. Raises FileNotFoundError.
    """
    mails, last = [], datetime(2000, 1, 1, tzinfo=UTC)
    with closing(mailbox.mbox(path, create=False)) as box:
        for message in box:
            last = _date(message.get("Date", "")) or last
            mails.append((last, message.as_bytes()))
    mails.sort(key=lambda mail: mail[0])
    nobody = Envelope(sender="", recipients=(), peer="")
    return [
        Record(
            position=at,
            end=at + 1,
            received_at=date,
            envelope=nobody,
            retained=Retained.WHOLE,
            content=raw,
            size=len(raw),
        )
        for at, (date, raw) in enumerate(mails)
    ]


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(str(text))
    except ValueError:
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def replay(records: Sequence[Record], settings: Settings, progress: Callable[[int], None]) -> Replayed:
    """Replay the records in simulated time; `progress` is called with the number of mails ingested so far."""
    with _temporary_folder() as folder, _ledger_in(folder) as ledger:
        source = _MailboxSpool(records)
        target = _AcceptingUpstream()
        ingest = Ingest(source, PoisonGuard(folder), ledger, settings, DataDir(folder).quarantine)
        digests = Digests(ledger, make_renderer(settings), settings, "replay")
        outbox = Outbox(ledger, target, settings, "replay", lambda: 0.0)
        for now in source.times(ledger, settings):
            while ingest.step(now):
                progress(ingest.ingested_to)
            while digests.step(now) | outbox.step(now):
                pass
        messages = tuple(reversed(ledger.messages(limit=1_000_000)))
        return Replayed(messages=messages, books=ledger.books(source.now))


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="error-mail-relay-replay-") as folder:
        yield Path(folder)


@contextmanager
def _ledger_in(folder: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(sqlite_url(DataDir(folder).ledger))
    try:
        yield ledger
    finally:
        ledger.close()


class _MailboxSpool:
    """Stands in for the spool: returns the mails that have arrived at the simulated time."""

    spool_id = "0" * 32

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self.now = records[0].received_at if records else datetime(2000, 1, 1, tzinfo=UTC)

    def times(self, ledger: Ledger, settings: Settings) -> Iterator[datetime]:
        """Yield each time at which something may happen, up to RUN_ON after the last mail."""
        arrivals = [record.received_at for record in self._records]
        events = iter(sorted([*arrivals, *(at + settings.timing.first_wait for at in arrivals)]))
        last = arrivals[-1] if arrivals else self.now
        upcoming = next(events, None)
        while self.now <= last + RUN_ON:
            yield self.now
            while upcoming is not None and upcoming <= self.now:
                upcoming = next(events, None)
            wakes = [upcoming, ledger.next_try_at(), *_next_chances(ledger, settings, self.now)]
            soonest = min((wake for wake in wakes if wake), default=None)
            if soonest is None:
                return
            self.now = max(soonest, self.now + timedelta(seconds=1))

    def read(self, position: int, *, limit: int = 500, limit_bytes: int = 0) -> list[Record]:
        """Return the records from `position` on that have arrived."""
        batch = self._records[position : position + limit]
        return [record for record in batch if record.received_at <= self.now]

    def end(self) -> int:
        """Return the position after the last record."""
        return len(self._records)

    def release(self, position: int) -> None:
        """Do nothing: the records stay in memory."""


def _next_chances(ledger: Ledger, settings: Settings, now: datetime) -> list[datetime]:
    """Return when a digest can go out next: when an error is due, or when what delays a due one may be over."""
    due = ledger.next_due_at()
    if due is None or due > now:
        return [due] if due else []
    states, budgets = ledger.route_states(), ledger.all_budgets().values()
    ends = [
        opens_at(states[route.name], route.timing, now, news=news)
        for route in settings.all_routes
        if route.name in states
        for news in (False, True)
    ]
    ends += [next_at(state, settings.budget, now, critical=critical) for state in budgets for critical in (False, True)]
    return [now + TICK, *(end for end in ends if end > now)]


class _AcceptingUpstream:
    """Stands in for the upstream: accepts every message at once."""

    max_duration = timedelta(seconds=1)

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Accept the message for all recipients."""
        accepted = RecipientReply(verdict=Verdict.ACCEPTED, code=250, text="")
        return Attempt(replies=dict.fromkeys(recipients, accepted))

    def abort(self) -> None:
        """Do nothing: no delivery takes long."""
