"""What the worst mails cost: processor time and memory of each, from the receiver's bytes to the digest.

    python -m tests.endurance.poison [--only WORD] [--patterns] [--relay] [--json FILE]

Each poison (`tests/endurance/poisons.py`) runs in its own process with a real spool and ledger, after one ordinary mail
and before another. The table shows the seconds of processor time and the growth of the process' peak memory in MB: for
receiving it, for ingesting it, and for its digest. `--patterns` also feeds each regular expression of the relay its
slowest texts (`tests/endurance/regex_attacks.py`), inside a mail, and shows the worst of each. `--relay` also sends all
poisons to a real `relay serve` and shows how long the next mail had to wait. Exits with 1 if a poison takes more than a
second or 100 MB, or is missing in the books.
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
from tests.endurance.poison_over_smtp import ACCEPTED, TOO_LARGE, send_poison, wait_for_worker
from tests.support.processes import Relay

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ENVELOPE = Envelope(sender="app@example.com", recipients=("you@example.com",), peer="127.0.0.1")
MAX_SECONDS = 1.0
MAX_MEGABYTES = 100.0
READ_SIZE = 64 << 10
"""Bytes that the receiver reads at once."""


@dataclass(kw_only=True)
class Cost:
    """The cost of one step: seconds of processor time, and the growth of peak memory in MB."""

    seconds: float
    megabytes: float


@dataclass(kw_only=True)
class Outcome:
    """The result of one poison."""

    name: str
    received: Cost
    ingested: Cost
    digested: Cost
    parked: int
    lost: bool
    """True if the poison or an ordinary mail is missing in the books."""

    @property
    def within_limits(self) -> bool:
        """True if nothing was lost and each step stayed within the limits."""
        costs = (self.received, self.ingested, self.digested)
        return not self.lost and all(cost.seconds <= MAX_SECONDS and cost.megabytes <= MAX_MEGABYTES for cost in costs)


class Meter:
    """Measures the cost of a `with` block."""

    def __enter__(self) -> Self:
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak (proc(5))
        self._memory, self._begun = _memory("VmRSS"), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.process_time() - self._begun
        self.cost = Cost(seconds=seconds, megabytes=(_memory("VmHWM") - self._memory) / 1024)


def _memory(name: str) -> int:
    """Return a line of /proc/self/status, in KB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


class Pipeline:
    """The receiver's content buffer, a spool, a ledger and the worker's steps."""

    def __init__(self, folder: Path) -> None:
        self._settings = make_settings(folder, timing={"first_wait": "1s"})
        self.ledger = Ledger.open(self._settings.storage.ledger_url)
        self._writer = SpoolWriter.open(folder / "spool")
        guard = PoisonGuard(folder / "spool")
        self._ingest = Ingest(SpoolReader(folder / "spool"), guard, self.ledger, self._settings, folder / "parked")
        renderer = make_renderer(self._settings)
        renderer.digest(example_digest(NOW, ("you@example.com",)))  # one-time costs do not belong to the poison
        self._digests = Digests(self.ledger, renderer, self._settings, "benchmark")
        self._at = NOW

    async def receive(self, stream: bytes) -> None:
        """Receive a mail in SMTP form, with its end mark."""
        content = Content(1 << 30, MemoryBudget(1 << 20))
        for start in range(0, len(stream), READ_SIZE):
            content.feed(stream[start : start + READ_SIZE])
        retained, found = content.retained()
        await self._writer.append(
            IncomingMail(received_at=self._at, envelope=ENVELOPE, retained=retained, content=found, size=content.size)
        )

    def ingest(self) -> None:
        """Ingest everything received."""
        while self._ingest.step(self._at):
            pass

    def make_digest(self) -> bool:
        """Make the digest of everything ingested; return False if there was none."""
        self._at += timedelta(hours=6)
        return self._digests.step(self._at)


def measure(name: str) -> Outcome:
    """Process one poison between two ordinary mails, in this process."""
    stream = poisons.as_smtp_data(poisons.POISONS[name]())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as loop:
        pipeline = Pipeline(Path(folder))
        loop.run(pipeline.receive(_ordinary_mail("before")))
        pipeline.ingest()
        with Meter() as receiving:
            loop.run(pipeline.receive(stream))
        with Meter() as ingesting:
            pipeline.ingest()
        with Meter() as digesting:
            digested = pipeline.make_digest()
        loop.run(pipeline.receive(_ordinary_mail("behind")))
        pipeline.ingest()
        books = pipeline.ledger.books(NOW)
        lost = (
            not digested
            or not books.balanced
            or books.received != 3
            or not any("behind" in g.title for g in pipeline.ledger.groups())
        )
        return Outcome(
            name=name,
            received=receiving.cost,
            ingested=ingesting.cost,
            digested=digesting.cost,
            parked=books.parked,
            lost=lost,
        )


def measure_in_process(name: str) -> Outcome:
    """Call `measure` in a forked process, with all modules loaded and nothing done yet."""
    forking = multiprocessing.get_context("fork")
    results = forking.SimpleQueue()
    child = forking.Process(target=lambda: results.put(measure(name)))
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(f"{name}: the process ended with {child.exitcode}")
    outcome: Outcome = results.get()
    return outcome


def _ordinary_mail(word: str) -> bytes:
    return poisons.as_smtp_data(poisons.mail(f"{word} everything: {poisons.FRAME}ValueError in {word}".encode()))


def show(outcome: Outcome) -> None:
    """Print one line of the table."""
    columns = (f"{c.seconds:6.2f} {c.megabytes:5.0f}" for c in (outcome.received, outcome.ingested, outcome.digested))
    fate = "LOST" if outcome.lost else "parked" if outcome.parked else "ingested"
    print(
        f"{outcome.name[:44]:<45}{'  '.join(columns)}   {fate}{'' if outcome.within_limits else '   OVER THE LIMIT'}",
        flush=True,
    )


def patterns() -> bool:
    """Print the worst text of each regular expression; return whether all stayed within a second."""
    print(f"\n{'pattern':<45}{'seconds':>7}  attack")
    attacks = regex_attacks.attacks_by_pattern()
    highest = 0.0
    for place, each in attacks.items():
        cost, attack = max((regex_attacks.cost(attack, MAX_SECONDS * 5), ascii(attack[:60])) for attack in each)
        highest = max(highest, cost)
        if cost > MAX_SECONDS / 3:
            print(f"{place[-44:]:<45}{cost:7.2f}  {attack}", flush=True)
    print(f"\n{len(attacks)} patterns, {sum(map(len, attacks.values())):,} texts, highest cost {highest:.2f} s")
    return highest <= MAX_SECONDS


def over_smtp(names: list[str]) -> bool:
    """Send all poisons to a real relay, print the waiting times, return whether the books have all mails."""
    with tempfile.TemporaryDirectory() as folder, Relay(Path(folder)) as relay:
        worker = wait_for_worker(relay)
        results = sorted((send_poison(relay, name) for name in names), key=lambda result: result.wait_seconds)
        status, died = relay.status(), relay.child("worker") != worker
    refused = sum(result.reply == TOO_LARGE for result in results)
    lost = 2 * len(names) - refused - status["received"]
    print(f"\nover SMTP: {len(names)} sent, {refused} too large, {lost} lost, {status['parked']} parked", end="")
    middle, longest = results[len(results) // 2], results[-1]
    print(f", the next mail waited {middle.wait_seconds:.2f} s, at most {longest.wait_seconds:.2f} s", end="")
    print(f" ({longest.name}){', THE WORKER DIED' if died else ''}")
    return not (lost or died or any(result.reply not in (ACCEPTED, TOO_LARGE) for result in results))


def main() -> int:
    """Print the table. Return 1 if a poison exceeded a limit or was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD", help="only poisons whose name contains WORD")
    parser.add_argument("--patterns", action="store_true", help="also the worst text of each regular expression")
    parser.add_argument("--relay", action="store_true", help="also send all of them over SMTP to a real relay")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args()
    print(
        f"{'':<45}{'received':>12}  {'ingested':>12}  {'digested':>12}\n{'poison':<45}"
        + "  ".join(["   CPU    MB"] * 3)
    )
    outcomes: list[Outcome] = []
    for name in (name for name in poisons.POISONS if arguments.only in name):
        outcomes.append(measure_in_process(name))
        show(outcomes[-1])
    if arguments.json:
        found: list[dict[str, Any]] = [asdict(outcome) for outcome in outcomes]
        arguments.json.write_text(json.dumps(found, indent=1))
    fine = all(outcome.within_limits for outcome in outcomes)
    print(f"\n{len(outcomes)} poisons, {sum(o.lost for o in outcomes)} lost, {sum(o.parked for o in outcomes)} parked")
    if arguments.relay:
        fine &= over_smtp([outcome.name for outcome in outcomes])
    return 0 if (patterns() if arguments.patterns else True) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
