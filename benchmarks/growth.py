"""Whether the work grows with what was done before: mails that came, groups that are known.

    python -m benchmarks.growth [--full] [--json FILE]

What one more mail costs after 10³, 10⁴, … mails of 50 kinds, and beside 10, 10³, 10⁵ groups; what one look for what is
due costs beside groups that have nothing pending. Each size has a ledger and a spool of its own, a copy of the smaller
one gone on; all are then measured in turn, round by round, in processor time. Compared are costs of one round, and the
median of the rounds counts, so that a busy moment meets all sizes alike. Beside the JSON it draws the curves
(`growth.svg`).
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import count, islice, pairwise
from pathlib import Path

import structlog

from benchmarks.harness.costs import calibration, seconds
from benchmarks.harness.curves import Curve, draw
from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.mails import mail_of_one_line, mails_in_turn
from benchmarks.harness.pipeline import NOW, Pipeline
from relay.digest import Digests
from relay.service.assembly import make_renderer

FLAT = 1.2
"""The most that a mail or a look may cost, as a multiple of what it costs at the smallest size."""
ROUNDS = 15
MAILS, LOOKS = 500, 20
"""What is measured in one round for each size."""
SPOOLED = 5_000
"""So many mails stand in the spool at once."""
Costs = dict[int, float]
Grow = Callable[[Pipeline, int, int], None]
"""Has a pipeline come from one size to another."""


def mails(curves: list[Curve], folder: Path, *, most: int) -> Iterator[Figure]:
    """What one mail costs after 1,000 mails, 10,000 and so on, of 50 kinds; and how large the ledger is then."""
    rng = random.Random(1)

    def grow(pipeline: Pipeline, done: int, size: int) -> None:
        _sorted(pipeline, mails_in_turn(rng, size - done))

    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= most]
    with _pipelines(folder, sizes, grow) as pipelines:
        rounds = _in_turn(pipelines, lambda pipeline: _mail(pipeline, rng))
        ledger = pipelines[most].file.stat().st_size / 2**20
    yield from _shown(curves, "a mail, by mails", "one mail after {:,}", rounds)
    yield _flat("a mail at its dearest / after 1,000", rounds)
    yield judged(f"ledger after {most:,} mails", ledger, "MiB", most=20)


def groups(curves: list[Curve], folder: Path) -> Iterator[Figure]:
    """What one mail and one look for what is due cost beside 10 groups, 1,000 and so on that have nothing pending."""
    rng = random.Random(1)

    def grow(pipeline: Pipeline, known: int, size: int) -> None:
        _sorted(pipeline, map(mail_of_one_line, range(known, size)))

    with _pipelines(folder, [10, 1_000, 100_000], grow) as pipelines:
        rounds = _in_turn(pipelines, lambda pipeline: _mail(pipeline, rng))
        yield from _shown(curves, "a mail, by groups", "one mail beside {:,} groups", rounds)
        yield _flat("a mail at its dearest / beside 10 groups", rounds)
        looks = {}
        for pipeline in pipelines.values():
            pipeline.forget_pending()
            looks[pipeline] = _looks(pipeline)
        rounds = _in_turn(pipelines, lambda pipeline: looks[pipeline]())
    yield from _shown(curves, "a look, by groups", "one look beside {:,} groups", rounds)
    yield _flat("a look at its dearest / beside 10 groups", rounds)


# --- Sizes ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _pipelines(folder: Path, sizes: Sequence[int], grow: Grow) -> Iterator[dict[int, Pipeline]]:
    """A pipeline for each size; each begins as a copy of the one before, which has nothing to do meanwhile."""
    pipelines: dict[int, Pipeline] = {}
    with contextlib.ExitStack() as stack:
        for done, size in pairwise((0, *sizes)):
            if done:
                shutil.copytree(folder / str(done), folder / str(size))
            else:
                (folder / str(size)).mkdir()
            pipelines[size] = stack.enter_context(Pipeline(folder / str(size)))
            grow(pipelines[size], done, size)
        yield pipelines


def _sorted(pipeline: Pipeline, contents: Iterable[str]) -> None:
    rest = iter(contents)
    while batch := list(islice(rest, SPOOLED)):
        pipeline.spool(batch)
        pipeline.empty()


# --- Costs ------------------------------------------------------------------------------------------------------------


def _mail(pipeline: Pipeline, rng: random.Random) -> float:
    """Seconds that one more mail takes."""
    pipeline.spool(mails_in_turn(rng, MAILS))
    return seconds(pipeline.empty) / MAILS


def _looks(pipeline: Pipeline) -> Callable[[], float]:
    """Return a function that measures a search for due groups in seconds; renewals of the lease are included."""
    digests = Digests(pipeline.ledger, make_renderer(pipeline.settings), pipeline.settings, "bench")
    moments = (NOW + timedelta(seconds=2 * number) for number in count())
    return lambda: seconds(lambda: [digests.step(at) for at in islice(moments, LOOKS)]) / LOOKS


def _in_turn(pipelines: Mapping[int, Pipeline], cost: Callable[[Pipeline], float]) -> list[Costs]:
    """Round by round the cost at each size, as a multiple of a loop of plain Python; to and fro, once to warm up."""
    rounds = []
    for number in range(ROUNDS + 1):
        loop = seconds(calibration)
        order = sorted(pipelines, reverse=bool(number % 2))
        rounds.append({size: cost(pipelines[size]) / loop for size in order})
    return rounds[1:]


def _shown(curves: list[Curve], curve: str, name: str, rounds: Sequence[Costs]) -> Iterator[Figure]:
    first = min(rounds[0])
    cost = statistics.median(each[first] for each in rounds)
    costs = {size: cost * _ratio(rounds, size, first) for size in sorted(rounds[0])}
    curves.append(Curve(curve, costs))
    for size, value in costs.items():
        yield Figure(name=name.format(size), value=value, unit="loops")


def _flat(name: str, rounds: Sequence[Costs]) -> Figure:
    """How much dearer it ever became than it was at first."""
    first = min(rounds[0])
    return judged(name, max(_ratio(rounds, size, first) for size in rounds[0]), "×", most=FLAT)


def _ratio(rounds: Sequence[Costs], size: int, first: int) -> float:
    return statistics.median(each[size] / each[first] for each in rounds)


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
