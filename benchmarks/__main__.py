"""`make bench`: all harnesses one after the other, each beside nothing else, then one table of all targets.

    python -m benchmarks [--full] [NAME …]

What each measured stands in `benchmarks/results`, all of it in `table.md`. A harness that misses a target, or cannot
run, does not keep the rest from running. Exits 1 where a target is missed or a harness failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness.figures import Figure, keep, show

RESULTS = Path(__file__).parent / "results"
HARNESSES = ("intake", "latency", "ingest", "size", "growth", "start", "startup", "idle")
SCALABLE = {"size", "growth", "start", "idle"}
"""These take `--full`."""


def main() -> int:
    """Run those that are named, all by default."""
    parser = argparse.ArgumentParser(description="All benchmarks, and one table of what they found.")
    parser.add_argument("--full", action="store_true", help="the full sizes (about an hour)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(HARNESSES))
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    unknown = set(options.names) - set(HARNESSES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"Other programs are at work here (load {busy:.1f}): figures in seconds will be worse than they need be.")
    failed = [name for name in options.names or HARNESSES if not run(name, full=options.full)]
    keep(machine(busy), RESULTS / "machine.json")
    return table(failed)


def run(name: str, *, full: bool) -> bool:
    """Run one; return whether it came to figures, met or not."""
    print(f"\n--- {name} " + "-" * (100 - len(name)), flush=True)
    file = RESULTS / f"{name}.json"
    before = file.stat().st_mtime if file.exists() else 0.0
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(file)]
    code = subprocess.run([*command, *["--full"] * (full and name in SCALABLE)], check=False).returncode
    print(f"({time.monotonic() - began:.0f} s)")
    return code in {0, 1} and file.exists() and file.stat().st_mtime > before


def table(failed: list[str]) -> int:
    """Print every figure that has a target, of this run and of earlier ones; return the exit code."""
    print("\n=== all targets " + "=" * 88)
    missed, rows = 0, ["| | what | measured | target |", "|---|---|---|---|"]
    for name in HARNESSES:
        file = RESULTS / f"{name}.json"
        if name in failed or not file.exists():
            print(f"{name}: no figures")
            continue
        for figure in (Figure(**line) for line in json.loads(file.read_text("utf-8"))):
            if figure.kept is not None:
                show(figure)
                missed += not figure.kept
                word = "met" if figure.kept else "**missed**"
                amount = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.2f}"
                rows.append(f"| {word} | {figure.name} | {amount} {figure.unit} | {figure.target} |")
    (RESULTS / "table.md").write_text("\n".join(rows) + "\n", "utf-8")
    return 1 if missed or failed else 0


def machine(busy: float) -> list[Figure]:
    """What the figures were measured on."""
    where = (
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    )
    return [
        Figure(name="processors", value=os.cpu_count() or 0, unit="", note=where),
        Figure(name="load before it began", value=busy, unit=""),
    ]


if __name__ == "__main__":
    sys.exit(main())
