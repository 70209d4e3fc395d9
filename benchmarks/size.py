"""What the relay takes of memory and disk: a storm, many errors, many idle connections, by the real processes.

    python -m benchmarks.size [--full] [--json FILE]

Mails come over SMTP from one client with 16 connections, one after another on each, while receiver and worker do what
they always do. Resident memory is looked at ten times a second until all is sorted. Without `--full` there are fewer
mails: that memory and ledger grow no further is seen by the second figure, which is of the last half alone.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.mails import KINDS, mail_of_one_line, mail_with_trace
from benchmarks.harness.relays import Client, MeasuredRelay, peaks, resident

IDLE = 500
MIB = 2**20


def storm(folder: Path, number: int) -> Iterator[Figure]:
    """Mails of 50 kinds: the memory of both, and what is left on the disk."""
    rng = random.Random(1)
    contents = (mail_with_trace(rng, each % KINDS) for each in range(number))
    with MeasuredRelay(folder) as relay:
        yield from _memory(relay, f"{number:,} mails of {KINDS} kinds", contents, number, limit=120)
        data = folder / "data"
        ledger = sum(path.stat().st_size for path in data.glob("ledger.db*")) / MIB
        yield judged(f"ledger after {number:,} mails", ledger, "MiB", most=20, note="with its write-ahead log")
        yield judged("spool when all is sorted", _spool(data) / MIB, "MiB", most=10)


def many(folder: Path, number: int) -> Iterator[Figure]:
    """Each mail an error of its own."""
    with MeasuredRelay(folder) as relay:
        yield from _memory(relay, f"{number:,} groups", map(mail_of_one_line, range(number)), number, limit=300)


def idle(folder: Path) -> Iterator[Figure]:
    """Connections that say nothing after their greeting."""
    with MeasuredRelay(folder) as relay, contextlib.ExitStack() as stack:
        relay.shown()
        relay.send(map(mail_of_one_line, range(200)))
        before = resident(relay.child("receiver"))
        for _ in range(IDLE - 1):
            stack.enter_context(Client(relay.smtp))
        more = resident(relay.child("receiver")) - before
        yield judged(f"receiver, {IDLE} idle connections more", more, "MiB", most=40)


def _memory(relay: MeasuredRelay, what: str, contents: Iterable[str], number: int, *, limit: int) -> Iterator[Figure]:
    relay.shown()
    rest, began = iter(contents), time.monotonic()
    halves: list[tuple[float, dict[str, float]]] = []
    with peaks(relay) as most:
        for end in (number // 2, number):
            sent = end - (number // 2 if halves else 0)
            relay.send(next(rest) for _ in range(sent))
            relay.wait_until_received(end)
            halves.append((time.monotonic() - began, dict(most)))
    (half, early), (whole, late) = halves
    for role, peak in late.items():
        grown = f"{peak - early[role]:+.1f} in the last half"
        yield judged(f"{role}, {what}", peak, "MiB", most=limit, note=grown)
    yield judged(
        "time of the last half to the first", (whole - half) / half, "×", most=1.5, note=f"{whole:.0f} s in all"
    )


def _spool(data: Path) -> int:
    """Bytes of the spool without its reserve, once nothing is removed any more."""
    size, smaller = -1, 0
    while size != smaller:
        size = smaller
        time.sleep(1)
        smaller = sum(path.stat().st_size for path in (data / "spool").glob("*.segment"))
    return size


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """All three, each with a relay of its own."""
    mails, groups = (1_000_000, 100_000) if options.full else (40_000, 10_000)
    for each in (lambda folder: storm(folder, mails), lambda folder: many(folder, groups), idle):
        with tempfile.TemporaryDirectory() as folder:
            yield from each(Path(folder))


if __name__ == "__main__":
    sys.exit(report(__doc__ or "", measure, full="1,000,000 mails and 100,000 groups (half an hour)"))
