"""Fuzz each parser of the relay with atheris, guided by coverage, and report the findings.

    python -m tests.endurance.fuzz [--minutes 10] [--only NAME] [--folder build/fuzz]

The harnesses are in `tests/endurance/fuzzing`, their seeds in `tests/data/fuzz`. Inputs that reach new coverage are
stored in the folder and reused by the next run. An input that breaks a guarantee is stored in its `findings`. The time
is divided equally among the harnesses. Exits with 1 if there was a finding, with 2 if atheris is not installed.
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
EXTRA_SEEDS = {"mime": "mails", "report": "mails", "digest": "mails", "highlight": "traces", "config": "config"}
"""More seeds for a harness, elsewhere in the tests' data."""
LIMITS = ("-max_len=12000", "-timeout=30", "-rss_limit_mb=1500", "-print_final_stats=1", "-verbosity=1")
"""Limits for one input: bytes, seconds, MB."""


def main() -> int:
    """Run the harnesses one after another; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all harnesses together")
    parser.add_argument("--only", choices=HARNESSES, help="run only this harness")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="where inputs and findings are stored")
    arguments = parser.parse_args()
    if find_spec("atheris") is None:
        print("atheris is not installed: it has wheels only for Linux on x86-64; `make fuzz` installs it there")
        return 2
    names = (arguments.only,) if arguments.only else HARNESSES
    results = [fuzz(name, round(60 * arguments.minutes / len(names)), arguments.folder) for name in names]
    print(f"{sum(done for done, _ in results):,} inputs, {sum(found for _, found in results)} findings")
    return 1 if any(found for _, found in results) else 0


def fuzz(name: str, seconds: int, folder: Path) -> tuple[int, int]:
    """Run one harness in its own process; return the number of inputs and of findings."""
    corpus, findings = folder / "corpus" / name, folder / "findings" / name
    for each in (corpus, findings):
        each.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={max(seconds, 1)}", f"-artifact_prefix={findings}/", *LIMITS]
    seeds = [DATA / "fuzz" / name, *([DATA / EXTRA_SEEDS[name]] if name in EXTRA_SEEDS else [])]
    command = [sys.executable, "-m", "tests.endurance.fuzz", "run", name, *limits, *map(str, [corpus, *seeds])]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executions = re.search(r"stat::number_of_executed_units: +(\d+)", done.stderr)
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    number = int(executions[1]) if executions else 0
    print(f"{name:<12}{number:>12,} inputs  {coverage[-1] if coverage else '?':>6} branches  ", end="")
    if done.returncode == 0:
        print("no finding", flush=True)
        return number, 0
    (findings / "output.txt").write_text(done.stdout + done.stderr)
    print(f"A FINDING: {findings}/output.txt", flush=True)
    return number, 1


def run(name: str, arguments: list[str]) -> None:
    """Run one harness in this process, with libFuzzer's `arguments`; never returns."""
    import atheris

    with atheris.instrument_imports(include=["relay"], enable_loader_override=False):
        harness = importlib.import_module(f"tests.endurance.fuzzing.{name}")
    atheris.Setup([name, *arguments], harness.check)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], sys.argv[3:])
    sys.exit(main())
