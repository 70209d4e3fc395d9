"""What the worst mails cost the worker: processor time and memory of each, from the receiver's bytes to the digest.

    python -m tests.endurance.poison [--only WORD] [--patterns] [--relay] [--json FILE]

Each poison (`tests/endurance/poisons.py`) has a process of its own with a real spool and ledger, where ordinary mails
were sorted before; then an ordinary mail comes behind it. Printed are the seconds of processor time and the growth of
the process' peak memory, in MB: for taking it in, for sorting it, and for telling it. `--patterns` feeds each regular
expression of the relay what it takes longest for (`tests/endurance/regex_attacks.py`), inside a mail, and tells the
worst of each. `--relay` sends all of them to a real `relay serve` as well and tells how long the mail behind each had
to wait. Exits 1 where one takes more than a second, or 100 MB, or is not accounted for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import structlog

from relay.compose.example import example_digest
from relay.config import make_settings
from relay.digest import Digests
from relay.ingest.step import Ingest
from relay.ledger import Ledger
from relay.model import Envelope, IncomingMail
from relay.receive.content import Content
from relay.receive.memory import MemoryBudget
from relay.service.assembly import make_renderer
from relay.spool import PoisonGuard, SpoolReader, SpoolWriter
from tests.endurance import poisons, regex_attacks
from tests.endurance.poison_over_smtp import TAKEN, TOO_LARGE, at_work, poisoned
from tests.support.processes import Relay

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ENVELOPE = Envelope(sender="app@example.com", recipients=("you@example.com",), peer="127.0.0.1")
MOST_SECONDS = 1.0
MOST_MEGABYTES = 100.0
PIECE = 64 << 10
"""Bytes that the receiver reads at once."""


@dataclass(kw_only=True)
class Cost:
    """Of one step: seconds of processor time, and MB by which the peak of memory rose."""

    seconds: float
    megabytes: float


@dataclass(kw_only=True)
class Outcome:
    """What became of one poison."""

    name: str
    taken: Cost
    sorted: Cost
    told: Cost
    parked: int
    lost: bool
    """Whether the books do not show it and the mail behind it."""

    @property
    def kept(self) -> bool:
        """Whether it stayed within what is promised."""
        costs = (self.taken, self.sorted, self.told)
        return not self.lost and all(
            cost.seconds <= MOST_SECONDS and cost.megabytes <= MOST_MEGABYTES for cost in costs
        )


class Meter:
    """Measures the block it stands around."""

    def __enter__(self) -> Self:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (proc(5))
        self._memory, self._begun = _memory("VmRSS"), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.process_time() - self._begun
        self.cost = Cost(seconds=seconds, megabytes=(_memory("VmHWM") - self._memory) / 1024)


def _memory(name: str) -> int:
    """A line of /proc/self/status, in KB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


class Desk:
    """A receiver's way of keeping mails, a spool, a ledger and the worker's steps."""

    def __init__(self, folder: Path) -> None:
        self._settings = make_settings(folder, timing={"first_wait": "1s"})
        self.ledger = Ledger.open(self._settings.storage.ledger_url)
        self._writer = SpoolWriter.open(folder / "spool")
        claims = PoisonGuard(folder / "spool")
        self._sort = Ingest(SpoolReader(folder / "spool"), claims, self.ledger, self._settings, folder / "parked")
        renderer = make_renderer(self._settings)
        renderer.digest(example_digest(NOW, ("you@example.com",)))  # what is done once is not the poison's cost
        self._digests = Digests(self.ledger, renderer, self._settings, "benchmark")
        self._at = NOW

    async def take(self, wire: bytes) -> None:
        """Receive a mail as it comes over the wire, its end mark included."""
        content = Content(1 << 30, MemoryBudget(1 << 20))
        for start in range(0, len(wire), PIECE):
            content.feed(wire[start : start + PIECE])
        kept, found = content.retained()
        await self._writer.append(
            IncomingMail(received_at=self._at, envelope=ENVELOPE, retained=kept, content=found, size=content.size)
        )

    def sort(self) -> None:
        """Sort all that was taken."""
        while self._sort.step(self._at):
            pass

    def tell(self) -> bool:
        """Make the digest of all that came; False where there was none."""
        self._at += timedelta(hours=6)
        return self._digests.step(self._at)


def measured(name: str) -> Outcome:
    """One poison between two ordinary mails, in this process."""
    wire = poisons.over_the_wire(poisons.POISONS[name]())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as loop:
        desk = Desk(Path(folder))
        loop.run(desk.take(_ordinary("before")))
        desk.sort()
        with Meter() as taking:
            loop.run(desk.take(wire))
        with Meter() as ingesting:
            desk.sort()
        with Meter() as telling:
            told = desk.tell()
        loop.run(desk.take(_ordinary("behind")))
        desk.sort()
        books = desk.ledger.books(NOW)
        lost = (
            not told
            or not books.balanced
            or books.received != 3
            or not any("behind" in g.title for g in desk.ledger.groups())
        )
        return Outcome(
            name=name, taken=taking.cost, sorted=ingesting.cost, told=telling.cost, parked=books.parked, lost=lost
        )


def apart(name: str) -> Outcome:
    """The same in a process of its own, forked where all is loaded and nothing was done yet."""
    forking = multiprocessing.get_context("fork")
    results = forking.SimpleQueue()
    child = forking.Process(target=lambda: results.put(measured(name)))
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(f"{name}: the process ended with {child.exitcode}")
    outcome: Outcome = results.get()
    return outcome


def _ordinary(word: str) -> bytes:
    return poisons.over_the_wire(poisons.mail(f"{word} everything: {poisons.FRAME}ValueError in {word}".encode()))


def show(outcome: Outcome) -> None:
    """One line of the table."""
    columns = (f"{c.seconds:6.2f} {c.megabytes:5.0f}" for c in (outcome.taken, outcome.sorted, outcome.told))
    fate = "LOST" if outcome.lost else "parked" if outcome.parked else "sorted"
    print(f"{outcome.name[:44]:<45}{'  '.join(columns)}   {fate}{'' if outcome.kept else '   TOO MUCH'}", flush=True)


def patterns() -> bool:
    """Tell the worst of each regular expression; return whether all stayed within a second."""
    print(f"\n{'pattern':<45}{'sort s':>7}  attack")
    attacks = regex_attacks.attacks_by_pattern()
    dearest = 0.0
    for place, each in attacks.items():
        cost, attack = max((regex_attacks.cost(attack, MOST_SECONDS * 5), ascii(attack[:60])) for attack in each)
        dearest = max(dearest, cost)
        if cost > MOST_SECONDS / 3:
            print(f"{place[-44:]:<45}{cost:7.2f}  {attack}", flush=True)
    print(f"\n{len(attacks)} patterns, {sum(map(len, attacks.values())):,} texts, the dearest {dearest:.2f} s")
    return dearest <= MOST_SECONDS


def over_smtp(names: list[str]) -> bool:
    """Send them to a real relay; tell what the mails behind them waited, and return whether all is in the books."""
    with tempfile.TemporaryDirectory() as folder, Relay(Path(folder)) as relay:
        worker = at_work(relay)
        fates = sorted((poisoned(relay, name) for name in names), key=lambda fate: fate.behind)
        status, died = relay.status(), relay.child("worker") != worker
    refused = sum(fate.answer == TOO_LARGE for fate in fates)
    lost = 2 * len(names) - refused - status["received"]
    print(f"\nover SMTP: {len(names)} sent, {refused} too large, {lost} lost, {status['parked']} parked", end="")
    print(f", the mail behind waited {fates[len(fates) // 2].behind:.2f} s, at most {fates[-1].behind:.2f} s", end="")
    print(f" ({fates[-1].name}){', THE WORKER DIED' if died else ''}")
    return not (lost or died or any(fate.answer not in (TAKEN, TOO_LARGE) for fate in fates))


def main() -> int:
    """Print the table; exit code 1 where one took too much or was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD", help="poisons with this in their name")
    parser.add_argument("--patterns", action="store_true", help="the worst of each regular expression as well")
    parser.add_argument("--relay", action="store_true", help="all of them over SMTP to a real relay as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    print(f"{'':<45}{'taken':>12}  {'sorted':>12}  {'told':>12}\n{'poison':<45}" + "  ".join(["   CPU    MB"] * 3))
    outcomes: list[Outcome] = []
    for name in (name for name in poisons.POISONS if arguments.only in name):
        outcomes.append(apart(name))
        show(outcomes[-1])
    if arguments.json:
        found: list[dict[str, Any]] = [asdict(outcome) for outcome in outcomes]
        arguments.json.write_text(json.dumps(found, indent=1))
    fine = all(outcome.kept for outcome in outcomes)
    print(f"\n{len(outcomes)} poisons, {sum(o.lost for o in outcomes)} lost, {sum(o.parked for o in outcomes)} parked")
    if arguments.relay:
        fine &= over_smtp([outcome.name for outcome in outcomes])
    return 0 if (patterns() if arguments.patterns else True) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
