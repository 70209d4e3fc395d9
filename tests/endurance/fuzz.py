"""Fuzzes each parser of the relay by the coverage it reaches, with atheris, and says what came of it.

    python -m tests.endurance.fuzz [--minutes 10] [--only NAME] [--folder build/fuzz]

The harnesses stand in `tests/endurance/fuzzing`, what they begin with in `tests/data/fuzz`. What led to new coverage is
kept in the folder and taken up by the next run; an input that broke a promise lies in its `findings`. The time is
shared out among the harnesses. Exits 1 where there was a finding, 2 where atheris is not installed.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.support.paths import DATA

HARNESSES = ("mime", "report", "json_part", "digest", "highlight", "spool", "smtp_session", "config")
MORE = {"mime": "mails", "report": "mails", "digest": "mails", "highlight": "traces", "config": "config"}
"""Where else in the tests' data a harness finds something to begin with."""
LIMITS = ("-max_len=12000", "-timeout=30", "-rss_limit_mb=1500", "-print_final_stats=1", "-verbosity=1")
"""For one input: bytes, seconds, MB."""


def main() -> int:
    """Run the harnesses one after another; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="over all harnesses")
    parser.add_argument("--only", choices=HARNESSES, help="one harness alone")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="for what is found")
    arguments = parser.parse_args()
    if find_spec("atheris") is None:
        print("atheris is not installed: it has wheels for Linux on x86-64 alone; `make fuzz` installs it there")
        return 2
    names = (arguments.only,) if arguments.only else HARNESSES
    results = [fuzz(name, round(60 * arguments.minutes / len(names)), arguments.folder) for name in names]
    print(f"{sum(done for done, _ in results):,} inputs, {sum(found for _, found in results)} findings")
    return 1 if any(found for _, found in results) else 0


def fuzz(name: str, seconds: int, folder: Path) -> tuple[int, int]:
    """Run one harness in a process of its own; return how many inputs it took and how many findings there were."""
    corpus, findings = folder / "corpus" / name, folder / "findings" / name
    for each in (corpus, findings):
        each.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={max(seconds, 1)}", f"-artifact_prefix={findings}/", *LIMITS]
    seeds = [DATA / "fuzz" / name, *([DATA / MORE[name]] if name in MORE else [])]
    command = [sys.executable, "-m", "tests.endurance.fuzz", "run", name, *limits, *map(str, [corpus, *seeds])]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executions = re.search(r"stat::number_of_executed_units: +(\d+)", done.stderr)
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    number = int(executions[1]) if executions else 0
    print(f"{name:<12}{number:>12,} inputs  {coverage[-1] if coverage else '?':>6} branches  ", end="")
    if done.returncode == 0:
        print("no finding", flush=True)
        return number, 0
    (findings / "words.txt").write_text(done.stdout + done.stderr)
    print(f"A FINDING: {findings}/words.txt says which", flush=True)
    return number, 1


def run(name: str, arguments: list[str]) -> None:
    """Be the process of one harness, with `arguments` as libFuzzer has them; never returns."""
    import atheris

    with atheris.instrument_imports(include=["relay"], enable_loader_override=False):
        harness = importlib.import_module(f"tests.endurance.fuzzing.{name}")
    atheris.Setup([name, *arguments], harness.check)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], sys.argv[3:])
    sys.exit(main())
