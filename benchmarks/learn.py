"""Measure what learning free words costs the ingest step: the same mails with `grouping.learn` on and off, in turn.

    python -m benchmarks.learn

Processor time. Both sides run one after the other in each round, so that a busy machine slows both down. Prints the
rate with learning as a share of the rate without, in the fastest round of each: other programs only ever slow one down.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from benchmarks.harness.costs import seconds
from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.mails import mail_of_one_line, mail_with_trace, mails_in_turn
from benchmarks.harness.pipeline import Pipeline

RUNS = 9
_ALPHABET = "abcdefghijklmnop"


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(_ALPHABET, k=8))


def _plain(text: str) -> str:
    return f"From: app@example.com\nSubject: Shop Failed\n\n{text}\n"


def streams() -> Iterator[tuple[str, Callable[[], list[str]], float]]:
    """The mails of each measurement, and the least share of the rate."""
    rng, numbers = random.Random(1), itertools.count()
    yield "storm of 50 kinds", lambda: mails_in_turn(rng, 5_000), 0.9
    yield "every mail a new error with a trace", lambda: [mail_with_trace(rng, next(numbers)) for _ in range(500)], 0.9
    yield "one line, every mail a new error", lambda: [mail_of_one_line(next(numbers)) for _ in range(1_000)], 0.9
    distinct = lambda: [_plain(" ".join(_word(rng) for _ in range(9))) for _ in range(2_000)]  # noqa: E731
    yield "distinct messages at one place", distinct, 0.9
    varying = lambda: [_plain(f"delivery to the mailbox {_word(rng)} stalled tonight") for _ in range(2_000)]  # noqa: E731
    yield "one word varies", varying, 0.9


def measure(_options: argparse.Namespace) -> Iterator[Figure]:
    """Each in a folder of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for name, make, least in streams():
        with tempfile.TemporaryDirectory() as folder:
            yield _compared(Path(folder), name, make, least)


def _compared(folder: Path, name: str, make: Callable[[], list[str]], least: float) -> Figure:
    times: dict[bool, list[float]] = {True: [], False: []}
    (folder / "on").mkdir()
    (folder / "off").mkdir()
    with Pipeline(folder / "on") as learning, Pipeline(folder / "off", grouping={"learn": False}) as plain:
        for run in range(RUNS + 1):
            mails = make()
            for pipeline in (learning, plain) if run % 2 else (plain, learning):
                pipeline.spool(mails)
                spent = seconds(pipeline.empty)
                if run:  # the first one warms up
                    times[pipeline is learning].append(spent)
        kept = len(learning.ledger.groups(limit=1_000_000)), len(plain.ledger.groups(limit=1_000_000))
    middle = statistics.median(times[False]) / statistics.median(times[True])
    note = f"the median is {middle:.2f}; {kept[0]:,} errors instead of {kept[1]:,}"
    return judged(name, min(times[False]) / min(times[True]), "of the rate without", least=least, note=note)


if __name__ == "__main__":
    sys.exit(report(__doc__ or "", measure))
