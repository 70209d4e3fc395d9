"""Measure the cost of ingest in one worker, from the spool's bytes to the ledger.

    python -m benchmarks.ingest [--json FILE]

Processor time, medians of several runs. Since a machine may be busy or slow, costs are judged as multiples of a
calibration (a loop of plain Python, timed around each run): a rate is kept where a core that does this loop in
`LOOP` seconds would reach it; what was measured stands beside it. The spool, the ledger and its `synchronous=FULL` are
real, in a temporary folder on the disk. Exits 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog

from benchmarks.harness.costs import calibration, seconds
from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.mails import mail_of_one_line, mail_with_trace, mails_in_turn
from benchmarks.harness.pipeline import NOW, Pipeline
from relay.digest import Digests
from relay.service.assembly import make_renderer

RUNS = 5
LOOP = 0.004
"""Seconds of the calibration on the processor that the targets are for."""


# --- Rates ------------------------------------------------------------------------------------------------------------


def storm(folder: Path) -> Iterator[Figure]:
    """Fifty errors again and again, with other ids each time."""
    rng = random.Random(1)
    with Pipeline(folder) as pipeline:
        yield from _rate(pipeline, "storm of 50 kinds", lambda: mails_in_turn(rng, 5_000), 5_000)


def all_new(folder: Path) -> Iterator[Figure]:
    """Every mail an error of its own with a trace of 30 frames."""
    rng, numbers = random.Random(1), itertools.count()
    with Pipeline(folder) as pipeline:
        yield from _rate(
            pipeline,
            "every mail a new error",
            lambda: [mail_with_trace(rng, next(numbers)) for _ in range(1_000)],
            1_200,
        )


def _rate(pipeline: Pipeline, name: str, make: Callable[[], list[str]], target: int) -> Iterator[Figure]:
    rates, ratios = [], []
    for run in range(RUNS + 1):
        mails = make()
        pipeline.spool(mails)
        loop = seconds(calibration)
        spent = seconds(pipeline.empty) / len(mails)
        if run:  # the first one warms up
            rates.append(1 / spent)
            ratios.append(2 * spent / (loop + seconds(calibration)))
    ratio = statistics.median(ratios)
    measured = f"measured {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
    yield judged(name, 1 / (ratio * LOOP), "mails/s", least=target, note=f"{measured}; a mail is {ratio:.3f} loops")


def digest(folder: Path) -> Iterator[Figure]:
    """Measure one digest of 10,000 errors that were never reported."""
    with Pipeline(folder) as pipeline:
        pipeline.spool(map(mail_of_one_line, range(10_000)))
        pipeline.empty()
    loops = [_time_of_one_digest(folder, folder / str(run)) for run in range(RUNS)]
    yield judged("digest step, 10,000 groups", statistics.median(loops) * LOOP, "s", most=1)


def _time_of_one_digest(original: Path, copy: Path) -> float:
    """The time of the first digest from a copy of that ledger, as a multiple of the calibration."""
    copy.mkdir()
    shutil.copy(original / "ledger.db", copy)
    with Pipeline(copy) as pipeline:
        digests = Digests(pipeline.ledger, make_renderer(pipeline.settings), pipeline.settings, "bench")
        loop = seconds(calibration)
        spent = seconds(partial(digests.step, NOW + timedelta(minutes=1)))
        if not pipeline.ledger.messages():
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
