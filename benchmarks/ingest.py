"""What sorting costs, from the spool's bytes to the ledger, as one worker does it.

    python -m benchmarks.ingest [--json FILE]

Processor time, medians of several runs. Since a machine may be busy or slow, costs are judged as multiples of a
calibration (a loop of plain Python, timed around each run): a rate is kept where a core that does this loop in
`LOOP` seconds would reach it; what was measured stands beside it. The spool, the ledger and its `synchronous=FULL` are
real, in a temporary folder on the disk. Exits 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import logging
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

import structlog

from benchmarks.grouping import calibration, mail, seconds
from benchmarks.harness.figures import Figure, judged, report
from relay.config import make_settings
from relay.digest import Digests
from relay.ingest.step import Sort
from relay.ledger import Ledger
from relay.model import Envelope, Kept
from relay.service.assembly import make_renderer
from relay.spool import Claims, SpoolReader, SpoolWriter

KINDS = 50
RUNS = 5
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ENVELOPE = Envelope(sender="server-error@example.com", recipients=("you@example.com",), peer="127.0.0.1")
LOOP = 0.004
"""Seconds of the calibration on the processor that the targets are for."""


class Desk:
    """A spool, a ledger and the worker's steps, in a folder of their own."""

    def __init__(self, folder: Path, **tables: object) -> None:
        self.settings = make_settings(folder, **tables)
        self.ledger = Ledger.open(self.settings.storage.ledger_url)
        self.file = folder / "ledger.db"
        self._loop = asyncio.Runner()
        self._writer = SpoolWriter.open(folder / "spool")
        claims = Claims(folder / "spool")
        self.sort = Sort(SpoolReader(folder / "spool"), claims, self.ledger, self.settings, folder / "parked")

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
                    received_at=at, envelope=ENVELOPE, kept=Kept.WHOLE, content=content, size=len(content)
                )
                for content in contents
            )
        )

    def empty(self, at: datetime = NOW) -> None:
        """Sort all that is in the spool."""
        while self.sort.step(at):
            pass

    def forget_pending(self) -> None:
        """Make as if every group had been told and were over."""
        with contextlib.closing(sqlite3.connect(self.file)) as database, database:
            database.execute("UPDATE groups SET pending_mails = 0, due_at = NULL, phase = 'ended'")


def repeats(rng: random.Random, number: int, kinds: int = KINDS) -> list[str]:
    """Mails of so many errors in turn, each with data of its own."""
    return [mail(rng, each % kinds) for each in range(number)]


def short(error: int) -> str:
    """A mail of one line, another error for each number, as letters: digits would be data."""
    word = "".join(chr(ord("a") + int(digit)) for digit in str(error))
    return f"From: server-error@example.com\nSubject: YourApplication Failed\n\nthe {word} queue has lost its order\n"


# --- Rates ------------------------------------------------------------------------------------------------------------


def storm(folder: Path) -> Iterator[Figure]:
    """Fifty errors again and again, with other ids each time."""
    rng = random.Random(1)
    with Desk(folder) as desk:
        yield from _rate(desk, "storm of 50 kinds", lambda: repeats(rng, 5_000), 5_000)


def all_new(folder: Path) -> Iterator[Figure]:
    """Every mail an error of its own with a trace of 30 frames."""
    rng, numbers = random.Random(1), itertools.count()
    with Desk(folder) as desk:
        yield from _rate(
            desk, "every mail a new error", lambda: [mail(rng, next(numbers)) for _ in range(1_000)], 1_200
        )


def _rate(desk: Desk, name: str, make: Callable[[], list[str]], target: int) -> Iterator[Figure]:
    rates, ratios = [], []
    for run in range(RUNS + 1):
        mails = make()
        desk.spool(mails)
        loop = seconds(calibration)
        spent = seconds(desk.empty) / len(mails)
        if run:  # the first one warms up
            rates.append(1 / spent)
            ratios.append(2 * spent / (loop + seconds(calibration)))
    ratio = statistics.median(ratios)
    measured = f"measured {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
    yield judged(name, 1 / (ratio * LOOP), "mails/s", least=target, note=f"{measured}; a mail is {ratio:.3f} loops")


def digest(folder: Path) -> Iterator[Figure]:
    """One digest of 10,000 errors nobody has been told of."""
    with Desk(folder) as desk:
        desk.spool(map(short, range(10_000)))
        desk.empty()
    loops = [_told(folder, folder / str(run)) for run in range(RUNS)]
    yield judged("digest step, 10,000 groups", statistics.median(loops) * LOOP, "s", most=1)


def _told(original: Path, copy: Path) -> float:
    """The time of the first digest from a copy of that ledger, as a multiple of the calibration."""
    copy.mkdir()
    shutil.copy(original / "ledger.db", copy)
    with Desk(copy) as desk:
        digests = Digests(desk.ledger, make_renderer(desk.settings), desk.settings, "bench")
        loop = seconds(calibration)
        spent = seconds(partial(digests.step, NOW + timedelta(minutes=1)))
        if not desk.ledger.letters():
            raise RuntimeError("no digest was made")
        return 2 * spent / (loop + seconds(calibration))


# --- All of it --------------------------------------------------------------------------------------------------------


def measure(_options: argparse.Namespace) -> Iterator[Figure]:
    """Each in a folder of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for each in (storm, all_new, digest):
        with tempfile.TemporaryDirectory() as folder:
            yield from each(Path(folder))


if __name__ == "__main__":
    sys.exit(report(__doc__ or "", measure, full="makes no difference here"))
