"""What sorting costs, from the spool's bytes to the ledger, as one worker does it; and whether that grows.

    python benchmarks/sorting.py [--full] [--json FILE]

Processor time, medians of several runs. Since a machine may be busy or slow, costs are judged as multiples of a
calibration (a loop of plain Python, timed beside each run): a rate is kept where a core that does this loop in
`LOOP` seconds would reach it; what was measured stands beside it. The spool, the ledger and its `synchronous=FULL` are
real, in a temporary folder on the disk. Exits 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

import structlog
from grouping import calibration, mail, seconds

from relay.config import make_settings
from relay.digest import Digests
from relay.ledger import Ledger
from relay.model import Envelope, Kept
from relay.service.assembly import make_renderer
from relay.sort import Sort
from relay.spool import Claims, SpoolReader, SpoolWriter

KINDS = 50
RUNS = 5
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ENVELOPE = Envelope(sender="server-error@example.com", recipients=("you@example.com",), peer="127.0.0.1")
LOOP = 0.004
"""Seconds of the calibration on the processor that the targets are for."""
FLAT = 1.2
"""The most that a mail may cost after many mails, or beside many groups, as a multiple of what it cost at first."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table; `kept` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: str = ""
    kept: bool | None = None
    note: str = ""


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
            ratios.append(spent / min(loop, seconds(calibration)))
    ratio = statistics.median(ratios)
    measured = f"measured {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
    yield _judged(name, 1 / (ratio * LOOP), "mails/s", least=target, note=f"{measured}; a mail is {ratio:.3f} loops")


def _judged(
    name: str, value: float, unit: str, *, least: float = 0, most: float = float("inf"), note: str = ""
) -> Figure:
    target = f"≥ {least:,}" if least else f"≤ {most:,}"
    return Figure(name=name, value=value, unit=unit, target=target, kept=least <= value <= most, note=note)


def digest(folder: Path) -> Iterator[Figure]:
    """One digest of 10,000 errors nobody has been told of."""
    with Desk(folder) as desk:
        desk.spool(map(short, range(10_000)))
        desk.empty()
    loops = [_told(folder, folder / str(run)) for run in range(RUNS)]
    yield _judged("digest step, 10,000 groups", statistics.median(loops) * LOOP, "s", most=1)


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
        return spent / min(loop, seconds(calibration))


# --- Growth -----------------------------------------------------------------------------------------------------------


def mails(folder: Path, *, most: int) -> Iterator[Figure]:
    """What one mail costs after 1,000 mails, 10,000 and so on, of 50 kinds; and how large the ledger is then."""
    rng, batch = random.Random(1), 1_000
    with Desk(folder) as desk:
        desk.spool(repeats(rng, batch))
        desk.empty()
        done, costs = batch, {}
        for step in (1_000, 10_000, 100_000, 1_000_000):
            if step <= most:
                while done < step:
                    desk.spool(repeats(rng, min(batch, step - done)))
                    desk.empty()
                    done += batch
                costs[step] = _loops_per_mail(desk, rng)
                yield Figure(name=f"one mail after {step:,}", value=costs[step], unit="loops")
        yield _flat("dearest / cheapest of these", costs)
    size = desk.file.stat().st_size / 2**20
    yield _judged(f"ledger after {done:,} mails", size, "MiB", most=20)


def groups(folder: Path, *, most: int) -> Iterator[Figure]:
    """What one mail and one look for what is due cost beside 10 groups, 1,000 and so on that have nothing pending."""
    rng, known, mail_costs, tick_costs = random.Random(1), 0, {}, {}
    with Desk(folder) as desk:
        for step in (10, 1_000, 100_000):
            if step <= most:
                for first in range(known, step, 5_000):
                    desk.spool(map(short, range(first, min(first + 5_000, step))))
                    desk.empty()
                known = step
                mail_costs[step] = _loops_per_mail(desk, rng)
                desk.forget_pending()
                tick_costs[step] = _tick(desk)
                yield Figure(name=f"one mail beside {step:,} groups", value=mail_costs[step], unit="loops")
                yield Figure(name=f"one tick beside {step:,} groups", value=1_000 * tick_costs[step], unit="ms")
    yield _flat("dearest / cheapest mail", mail_costs)
    yield _flat("dearest / cheapest tick", tick_costs)


def _loops_per_mail(desk: Desk, rng: random.Random) -> float:
    """The processor time of one more mail as a multiple of the calibration, the median of several batches."""
    costs = []
    for _ in range(9):
        desk.spool(repeats(rng, 500))
        loop = seconds(calibration)
        costs.append(seconds(desk.empty) / 500 / min(loop, seconds(calibration)))
    return statistics.median(costs)


def _tick(desk: Desk) -> float:
    digests = Digests(desk.ledger, make_renderer(desk.settings), desk.settings, "bench")
    moments = iter(NOW + timedelta(seconds=2 * number) for number in range(60))
    return statistics.median(seconds(lambda: digests.step(next(moments))) for _ in range(51))


def _flat(name: str, costs: dict[int, float]) -> Figure:
    return _judged(name, max(costs.values()) / min(costs.values()), "×", most=FLAT)


# --- Memory -----------------------------------------------------------------------------------------------------------


def memory(folder: Path, *, name: str, contents: Iterable[str], limit: int) -> Iterator[Figure]:
    """The most that the real worker, pages and all, has resident while it sorts `contents`."""
    with Desk(folder) as desk, worker_on(folder) as process:
        rest = iter(contents)
        while piece := list(itertools.islice(rest, 2_000)):
            desk.spool(piece)
            wait_until_sorted(desk, process)
        peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024
    yield _judged(name, peak, "MiB", most=limit)


@contextlib.contextmanager
def worker_on(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`relay work` on the data in `folder`, until the end of the block."""
    environment = os.environ | {"RELAY_STORAGE__DATA_DIR": str(folder), "RELAY_HTTP__LISTEN": "127.0.0.1:0"}
    with (folder / "worker.log").open("wb") as log:
        command = [sys.executable, "-m", "relay", "work"]
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def wait_until_sorted(desk: Desk, process: subprocess.Popen[bytes]) -> None:
    """Raises RuntimeError where the worker ends before all is sorted."""
    reader = SpoolReader(desk.settings.storage.data_dir / "spool")
    end, spool_id = reader.end(), reader.spool_id
    while desk.ledger.cursor(spool_id) < end:
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode}")
        time.sleep(0.02)


# --- All of it --------------------------------------------------------------------------------------------------------


def measures(*, full: bool) -> Iterator[Callable[[Path], Iterator[Figure]]]:
    """Each needs a folder of its own."""
    rng = random.Random(1)
    many = 1_000_000 if full else 20_000
    wide = 100_000 if full else 10_000
    yield storm
    yield all_new
    yield digest
    yield partial(mails, most=1_000_000 if full else 10_000)
    yield partial(groups, most=100_000 if full else 1_000)
    kinds = (mail(rng, number % KINDS) for number in range(many))
    yield partial(memory, name=f"worker, {many:,} mails of {KINDS} kinds", contents=kinds, limit=120)
    yield partial(memory, name=f"worker, {wide:,} groups", contents=map(short, range(wide)), limit=300)


def main() -> int:
    """Measure and print; 0 where every target is met."""
    parser = argparse.ArgumentParser(description="What sorting costs, and whether that grows.")
    parser.add_argument("--full", action="store_true", help="up to a million mails and 100,000 groups (half an hour)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    figures: list[Figure] = []
    for measure in measures(full=options.full):
        with tempfile.TemporaryDirectory() as folder:
            for figure in measure(Path(folder)):
                figures.append(figure)
                show(figure)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2, ensure_ascii=False))
    return 0 if all(figure.kept is not False for figure in figures) else 1


def show(figure: Figure) -> None:
    """One line of the table."""
    verdict = {True: "kept  ", False: "MISSED", None: "      "}[figure.kept]
    value = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.3f}"
    print(f"{verdict} {figure.name:<38} {value:>9} {figure.unit:<8} {figure.target:<9} {figure.note}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
