"""A worker that sorts mails of its own while others are measured, as the relay's does while the relay is.

So all peers have the same beside them: what the relay's own mails cost its worker is no one else's advantage.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.harness.relays import MeasuredRelay
from relay.model import Envelope, IncomingMail, Retained
from relay.service.worker import NICENESS
from relay.spool import SpoolWriter

_ENVELOPE = Envelope(sender="a@example.com", recipients=("b@example.com",), peer="127.0.0.1")
_MAIL = b"From: <a@example.com>\r\nTo: <b@example.com>\r\nMessage-Id: <%d@example.com>\r\n\r\n" + b"X" * 70 + b"\r\n"
_MAIL += (b"X" * 70 + b"\r\n") * 27
"""As smtp-source sends them: 2 KiB."""
_BACKLOG = 10_000
"""Mails that wait when a run begins: about two seconds of ingest."""
_SETTLED = 9 << 20
"""Bytes of a spool in which nothing waits: the segment that is being written stays."""


class BusyWorker:
    """A worker with a spool of its own, for as long as the block lasts."""

    def __init__(self, folder: Path) -> None:
        self._relay = MeasuredRelay(folder)
        self._spool = self._relay.data / "spool"
        self._number = 0

    def __enter__(self) -> Self:
        self.begin()
        self._worker = self._relay.started("work", niceness=NICENESS)  # as the supervisor's worker
        self.rest()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._worker.terminate()
        self._worker.wait()

    def begin(self) -> None:
        """See to it that enough waits to be sorted."""
        missing = _BACKLOG - waiting(self._spool) // len(_MAIL)
        if missing > 0:
            asyncio.run(self._fill(missing))

    async def _fill(self, number: int) -> None:
        writer = SpoolWriter.open(self._spool)
        now = datetime.now(UTC)
        puts = [
            writer.append(
                IncomingMail(received_at=now, envelope=_ENVELOPE, retained=Retained.WHOLE, content=mail, size=len(mail))
            )
            for mail in (_MAIL % each for each in range(self._number, self._number + number))
        ]
        self._number += number
        await asyncio.gather(*puts)
        await writer.close()

    def rest(self) -> None:
        """Wait until all is sorted."""
        settle(self._spool)


def waiting(spool: Path) -> int:
    """Bytes of the segments in `spool`."""
    found = 0
    for segment in spool.glob("*.segment"):
        try:
            found += segment.stat().st_size
        except FileNotFoundError:
            continue  # it is sorted
    return found


def settle(spool: Path) -> None:
    """Wait until what waits in `spool` is sorted. Raises TimeoutError after a minute."""
    deadline = time.monotonic() + 60
    while waiting(spool) > _SETTLED:
        if time.monotonic() > deadline:
            raise TimeoutError("the worker does not catch up")
        time.sleep(0.05)
