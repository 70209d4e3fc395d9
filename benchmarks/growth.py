"""Whether the work grows with what was done before: mails that came, groups that are known.

    python -m benchmarks.growth [--full] [--json FILE]

What one more mail costs after 10³, 10⁴, … mails of 50 kinds, and beside 10, 10³, 10⁵ groups with nothing pending, each
as a multiple of a loop of plain Python timed beside it (in processor time: what other programs take does not count);
what one look for what is due costs. Beside the JSON it draws the curves (`growth.svg`).
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog

from benchmarks.curves import Curve, draw
from benchmarks.figures import Figure, judged, report
from benchmarks.grouping import calibration, seconds
from benchmarks.sorting import NOW, Desk, repeats, short
from relay.digest import Digests
from relay.service.assembly import make_renderer

FLAT = 1.2
"""The most that a mail may cost after many mails, or beside many groups, as a multiple of what it cost at first."""
Costs = dict[int, float]


def mails(curves: list[Curve], folder: Path, *, most: int) -> Iterator[Figure]:
    """What one mail costs after 1,000 mails, 10,000 and so on, of 50 kinds; and how large the ledger is then."""
    rng, batch = random.Random(1), 1_000
    with Desk(folder) as desk:
        desk.spool(repeats(rng, batch))
        desk.empty()
        done = batch
        costs: Costs = {}
        for step in (1_000, 10_000, 100_000, 1_000_000):
            if step <= most:
                while done < step:
                    desk.spool(repeats(rng, min(batch, step - done)))
                    desk.empty()
                    done += batch
                costs[step] = _loops_per_mail(desk, rng)
                yield Figure(name=f"one mail after {step:,}", value=costs[step], unit="loops")
    curves.append(Curve("a mail, by mails", costs))
    yield _flat("a mail at its dearest / after 1,000", costs)
    size = desk.file.stat().st_size / 2**20
    yield judged(f"ledger after {done:,} mails", size, "MiB", most=20)


def groups(curves: list[Curve], folder: Path) -> Iterator[Figure]:
    """What one mail and one look for what is due cost beside 10 groups, 1,000 and so on that have nothing pending."""
    rng, known = random.Random(1), 0
    mail_costs: Costs = {}
    tick_costs: Costs = {}
    with Desk(folder) as desk:
        for step in (10, 1_000, 100_000):
            for first in range(known, step, 5_000):
                desk.spool(map(short, range(first, min(first + 5_000, step))))
                desk.empty()
            known = step
            mail_costs[step] = _loops_per_mail(desk, rng)
            desk.forget_pending()
            tick_costs[step] = _tick(desk)
            yield Figure(name=f"one mail beside {step:,} groups", value=mail_costs[step], unit="loops")
            yield Figure(name=f"one tick beside {step:,} groups", value=1_000 * tick_costs[step], unit="ms")
    curves += [Curve("a mail, by groups", mail_costs), Curve("a tick, by groups", tick_costs)]
    yield _flat("a mail at its dearest / beside 10 groups", mail_costs)
    yield _flat("a tick at its dearest / beside 10 groups", tick_costs)


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
    """How much dearer it ever became than it was at first."""
    first, *_ = costs.values()
    return judged(name, max(costs.values()) / first, "×", most=FLAT)


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Both, each in a folder of its own; then the plot."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    curves: list[Curve] = []
    most = 1_000_000 if options.full else 100_000
    for each in (partial(mails, curves, most=most), partial(groups, curves)):
        with tempfile.TemporaryDirectory() as folder:
            yield from each(Path(folder))
    if options.json:
        options.json.with_suffix(".svg").write_text(draw(curves), "utf-8")


if __name__ == "__main__":
    sys.exit(report(__doc__ or "", measure, full="up to a million mails"))
