"""Write mails into a real spool and ingest them into a ledger, with as many workers as a test wants."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from relay.config import make_settings
from relay.ingest.step import Ingest
from relay.ingest.versions import VERSIONS
from relay.ledger import Ledger
from relay.model import Envelope, IncomingMail, Retained
from relay.schedule.group import mute
from relay.spool import PoisonGuard, SpoolReader, SpoolWriter

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
ENVELOPE = Envelope(sender="app@example.com", recipients=("yourname@example.com",), peer="127.0.0.1")


def mail(message: str = "the ledger is broken", *, subject: str = "App Failed", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(["From: app@example.com", f"Subject: {subject}", *lines])
    return f"{head}\r\n\r\n{message}\r\n".encode()


def of_our_client(record: int, count: int = 1, message: str = "the ledger is broken") -> bytes:
    return mail(message, X_Error_Mail_Client="1", X_Error_Mail_Record=f"{record:032x}", X_Error_Mail_Count=str(count))


class IngestBench:
    """A spool, a ledger and as many workers, one after another, as a test wants to kill."""

    def __init__(self, folder: Path, ledger: Ledger, **tables) -> None:
        self.folder, self.ledger = folder, ledger
        self.settings = make_settings(folder, **tables)
        self.versions = VERSIONS

    def spool(self, contents: Sequence[bytes], at: datetime = NOW, retained: Retained = Retained.WHOLE) -> None:
        async def write() -> None:
            writer = SpoolWriter.open(self.folder / "spool")
            appends = [
                writer.append(
                    IncomingMail(
                        received_at=at, envelope=ENVELOPE, retained=retained, content=content, size=len(content)
                    )
                )
                for content in contents
            ]
            await asyncio.gather(*appends)
            await writer.close()

        asyncio.run(write())

    def worker(self) -> Ingest:
        reader, guard = SpoolReader(self.folder / "spool"), PoisonGuard(self.folder / "spool")
        worker = Ingest(reader, guard, self.ledger, self.settings, self.folder / "parked", self.versions)
        # A killed process closes its descriptors; a worker that a test drops closes them here.
        weakref.finalize(worker, guard.close)
        weakref.finalize(worker, reader.close)
        return worker

    def ingest_all(self, now: datetime = NOW) -> None:
        worker = self.worker()
        while worker.step(now):
            pass

    def mute(self, until: datetime | None = None, *, above: int | None = None) -> None:
        """Mute the error seen last."""
        timing = self.settings.timing
        self.ledger.revise(
            self.ledger.groups()[0].id, lambda group: mute(group, until, timing, now=group.last_seen, above=above)
        )

    def books(self) -> dict[str, int]:
        books = self.ledger.books(NOW)
        assert books.balanced
        names = ("received", "pending", "muted", "ignored", "parked")
        return {name: getattr(books, name) for name in names if getattr(books, name)}
