"""Plays old mails through the whole of the relay in their own time, into a ledger that is thrown away afterwards.

For `relay replay MBOX`: what would have been sent, and when? Everything is real but the
clock and the ends: mails come from the mailbox file at the moment of their Date header,
and every digest is taken at once.
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
from relay.service.assembly import make_renderer
from relay.spool import PoisonGuard

TICK = timedelta(seconds=10)
"""How often is looked at what is due but not yet allowed."""
AFTERWARDS = timedelta(days=1)
"""How long the last mail is followed, for closing totals and what was held back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What would have been sent: the letters, oldest first, and where every mail is at the end."""

    letters: tuple[StoredMessage, ...]
    books: Books


def read_mbox(path: Path) -> list[Record]:
    """Read a mailbox file into records in the order of their dates; a mail without one came with the one before it.

    Raises FileNotFoundError.
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
    """Play the records in their own time; `progress` is told how many were sorted so far."""
    with _throwaway() as folder, _ledger_in(folder) as ledger:
        source = _Source(records)
        target = _Taker()
        sort = Ingest(source, PoisonGuard(folder), ledger, settings, DataDir(folder).quarantine)
        digests = Digests(ledger, make_renderer(settings), settings, "replay")
        outbox = Outbox(ledger, target, settings, "replay", lambda: 0.0)
        for now in source.moments(ledger):
            while sort.step(now):
                progress(sort.ingested_to)
            while digests.step(now) | outbox.step(now):
                pass
        letters = tuple(reversed(ledger.messages(limit=1_000_000)))
        return Replayed(letters=letters, books=ledger.books(source.now))


@contextmanager
def _throwaway() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="error-mail-relay-replay-") as folder:
        yield Path(folder)


@contextmanager
def _ledger_in(folder: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(sqlite_url(DataDir(folder).ledger))
    try:
        yield ledger
    finally:
        ledger.close()


class _Source:
    """Stands in for the spool: gives the mails whose moment has come."""

    spool_id = "0" * 32

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self.now = records[0].received_at if records else datetime(2000, 1, 1, tzinfo=UTC)

    def moments(self, ledger: Ledger) -> Iterator[datetime]:
        """Give each moment at which something may happen, up to AFTERWARDS behind the last mail."""
        arrivals = iter([record.received_at for record in self._records])
        last = self._records[-1].received_at if self._records else self.now
        upcoming = next(arrivals, None)
        while self.now <= last + AFTERWARDS:
            yield self.now
            while upcoming is not None and upcoming <= self.now:
                upcoming = next(arrivals, None)
            due = ledger.next_due_at()
            wakes = [upcoming, max(due, self.now + TICK) if due else None, ledger.next_try_at()]
            soonest = min((wake for wake in wakes if wake), default=None)
            if soonest is None:
                return
            self.now = max(soonest, self.now + timedelta(seconds=1))

    def read(self, position: int, *, limit: int = 500, limit_bytes: int = 0) -> list[Record]:
        """The records from `position` on that have come by now."""
        batch = self._records[position : position + limit]
        return [record for record in batch if record.received_at <= self.now]

    def end(self) -> int:
        """Behind the last record."""
        return len(self._records)

    def release(self, position: int) -> None:
        """Nothing is let go of."""


class _Taker:
    """Stands in for the upstream: takes every letter."""

    max_duration = timedelta(seconds=1)

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Take it."""
        taken = RecipientReply(verdict=Verdict.ACCEPTED, code=250, text="")
        return Attempt(replies=dict.fromkeys(recipients, taken))

    def abort(self) -> None:
        """Nothing ever takes long."""
