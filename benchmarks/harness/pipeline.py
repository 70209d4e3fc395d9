"""The worker's pipeline without its process: a real spool, a real ledger and the ingest step, in one folder."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from relay.config import make_settings
from relay.ingest.step import Ingest
from relay.ledger import Ledger
from relay.model import Envelope, IncomingMail, Retained
from relay.service.child_main import GARBAGE_AFTER
from relay.spool import PoisonGuard, SpoolReader, SpoolWriter

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ENVELOPE = Envelope(sender="server-error@example.com", recipients=("you@example.com",), peer="127.0.0.1")


class Pipeline:
    """A spool, a ledger and the worker's steps, in a folder of their own."""

    def __init__(self, folder: Path, **tables: object) -> None:
        self.settings = make_settings(folder, **tables)
        self.ledger = Ledger.open(self.settings.storage.ledger_url)
        self.file = folder / "ledger.db"
        self._loop = asyncio.Runner()
        self._writer = SpoolWriter.open(folder / "spool")
        claims = PoisonGuard(folder / "spool")
        gc.freeze()  # these two as the worker does
        gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])
        self.sort = Ingest(SpoolReader(folder / "spool"), claims, self.ledger, self.settings, folder / "parked")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._writer.close())
        self._loop.close()
        self.ledger.close()

    def spool(self, mails: Iterable[str], at: datetime = NOW) -> None:
        """Write mails as the receiver does."""
        self._loop.run(self._spool([each.replace("\n", "\r\n").encode() for each in mails], at))

    async def _spool(self, contents: list[bytes], at: datetime) -> None:
        await asyncio.gather(
            *(
                self._writer.append(
                    IncomingMail(
                        received_at=at, envelope=ENVELOPE, retained=Retained.WHOLE, content=content, size=len(content)
                    )
                )
                for content in contents
            )
        )

    def empty(self, at: datetime = NOW) -> None:
        """Sort all that is in the spool."""
        while self.sort.step(at):
            pass

    def forget_pending(self) -> None:
        """Set every group to reported and ended."""
        with contextlib.closing(sqlite3.connect(self.file)) as database, database:
            database.execute("UPDATE groups SET pending_mails = 0, due_at = NULL, phase = 'ended'")
