"""What it costs to start a command: processor time from Python's own start to the end, of all that a command runs.

    python -m benchmarks.startup [--json FILE]

`relay --help`, `relay health` of a relay that runs, `relay status` and `relay check`, in turn; medians of several
runs. Each is also given as a multiple of a bare `python -c pass` of the same round, which a busy machine slows alike.
A first round is not counted: it writes the bytecode that pip leaves with what it installs.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.relays import MeasuredRelay

ROUNDS = 9
TARGETS = {"--help": 0.15, "health": 0.15, "status": 0.4, "check": None}
"""Seconds of processor time; None where there is no target."""


def processor_time(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return the seconds of processor time that it and its children took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(_: argparse.Namespace) -> Iterator[Figure]:
    """Run every command in each round."""
    times: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, MeasuredRelay(Path(folder)) as relay:
        relay.shown()
        for number in range(ROUNDS + 1):
            bare = processor_time(subprocess.Popen([sys.executable, "-c", "pass"]))
            found = {name: processor_time(relay.started(name, log="command.log")) for name in TARGETS}
            if number:
                times["bare"].append(bare)
                for name, seconds in found.items():
                    times[name].append(seconds)
    yield Figure(name="python -c pass", value=statistics.median(times["bare"]), unit="s")
    for name, most in TARGETS.items():
        value = statistics.median(times[name])
        ratio = statistics.median(mine / bare for mine, bare in zip(times[name], times["bare"], strict=True))
        note = f"{ratio:.1f} × python -c pass; {min(times[name]):.2f} to {max(times[name]):.2f}"
        if most is None:
            yield Figure(name=f"relay {name}", value=value, unit="s", note=note)
        else:
            yield judged(f"relay {name}", value, "s", most=most, note=note)


if __name__ == "__main__":
    sys.exit(report(__doc__ or "", measure))
