"""What a relay's processes use while it runs: memory, descriptors, threads, tasks, growing files."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.harness.relays import resident
from tests.support.processes import Relay

ROLES = ("supervisor", "receiver", "worker")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample: numbers by name, such as `worker memory, MiB`."""

    at: float
    numbers: dict[str, float]


def take_sample(relay: Relay) -> Sample:
    """Take a sample now."""
    assert relay.process
    numbers: dict[str, float] = {}
    for role in ROLES:
        process = relay.process.pid if role == "supervisor" else relay.child(role)
        numbers[f"{role} memory, MiB"] = resident(process)
        numbers[f"{role} descriptors"] = _entries(process, "fd")
        numbers[f"{role} threads"] = _entries(process, "task")
    numbers["receiver tasks"] = published_counter(relay, "tasks")
    numbers["write-ahead log, MiB"] = _size(relay.data / "ledger.db-wal")
    numbers["spool, MiB"] = sum(map(_size, (relay.data / "spool").glob("*")))
    return Sample(at=time.monotonic(), numbers=numbers)


def _entries(process: int, name: str) -> int:
    """Return the number of entries in a folder of proc(5), 0 if the process has ended."""
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{process}/{name}").iterdir()))
    return 0


def _size(file: Path) -> float:
    with contextlib.suppress(OSError):
        return file.stat().st_size / 2**20
    return 0.0


def published_counter(relay: Relay, name: str) -> int:
    """Return a counter that the receiver published: its open `connections`, its loop's `tasks`."""
    return int(json.loads((relay.data / "receiver.json").read_text())[name])


@contextlib.contextmanager
def sampled(relay: Relay, every: float) -> Iterator[list[Sample]]:
    """Take a sample every `every` seconds during the block."""
    samples: list[Sample] = []
    finished = threading.Event()

    def run() -> None:
        while not finished.wait(every):
            samples.append(take_sample(relay))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        finished.set()
        thread.join()


def first_and_last(samples: list[Sample], name: str) -> tuple[float, float]:
    """Return the medians of the first third of the samples and of the last."""
    third = max(1, len(samples) // 3)
    return tuple(median(each.numbers[name] for each in part) for part in (samples[:third], samples[-third:]))  # type: ignore[return-value]
