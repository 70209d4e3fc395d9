"""How soon `relay serve` takes mail: from the command to the greeting (220) of a client that tries again and again.

    python -m benchmarks.start [--full] [--json FILE]

With nothing yet, and with groups in the ledger and 100,000 mails in the spool that nobody has sorted; the processes are
those of every start, from Python's own on. Medians of several starts. How soon the worker's pages answer stands beside.
A first start is not counted: it writes the bytecode that pip leaves with what it installs, and other installers do not.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.mails import mail_of_one_line
from benchmarks.harness.pipeline import Pipeline
from benchmarks.harness.relays import MeasuredRelay

STARTS = 7
WAITING = 100_000
BATCH = 5_000


def empty(folder: Path) -> Iterator[Figure]:
    """The first start of all: the ledger is made, too."""
    folders = [folder / str(number) for number in range(STARTS)]
    for each in folders:
        each.mkdir()
    yield from _judged("an empty ledger", folders, most=1.0)


def full(folder: Path, groups: int) -> Iterator[Figure]:
    """As after an outage: everything is there already, and much of it is still to do."""
    original = folder / "original"
    (original / "data").mkdir(parents=True)
    with Pipeline(original / "data") as pipeline:
        for first in range(0, groups, BATCH):
            pipeline.spool(map(mail_of_one_line, range(first, first + BATCH)))
            pipeline.empty()
        for first in range(0, WAITING, BATCH):
            pipeline.spool(map(mail_of_one_line, range(first, first + BATCH)))
    folders = [folder / str(number) for number in range(3)]
    for each in folders:
        shutil.copytree(original, each)
    yield from _judged(f"{groups:,} groups, {WAITING:,} mails to sort", folders, most=2.0)


def _judged(name: str, folders: list[Path], *, most: float) -> Iterator[Figure]:
    greetings, pages = [], []
    for folder in folders:
        with MeasuredRelay(folder) as relay:
            greetings.append(relay.greeted())
            pages.append(relay.shown())
    spread = f"{min(greetings):.2f} to {max(greetings):.2f}"
    yield judged(f"220 with {name}", statistics.median(greetings), "s", most=most, note=spread)
    yield Figure(name="the worker's pages", value=statistics.median(pages), unit="s")


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Both."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder, MeasuredRelay(Path(folder)) as relay:
        relay.shown()
    with tempfile.TemporaryDirectory() as folder:
        yield from empty(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from full(Path(folder), 100_000 if options.full else 10_000)


if __name__ == "__main__":
    sys.exit(report(__doc__ or "", measure, full="100,000 groups instead of 10,000"))
