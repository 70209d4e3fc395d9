"""What a harness measures: figures with their targets, printed as they come and kept as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of a table; `kept` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: str = ""
    kept: bool | None = None
    note: str = ""


def judged(
    name: str, value: float, unit: str, *, least: float = 0, most: float = float("inf"), note: str = ""
) -> Figure:
    """A figure with a target: at least `least`, or at most `most`."""
    target = f"≥ {least:,}" if least else f"≤ {most:,}"
    return Figure(name=name, value=value, unit=unit, target=target, kept=least <= value <= most, note=note)


def show(figure: Figure) -> None:
    """One line of the table."""
    verdict = {True: "kept  ", False: "MISSED", None: "      "}[figure.kept]
    value = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.3f}"
    print(f"{verdict} {figure.name:<44} {value:>9} {figure.unit:<8} {figure.target:<9} {figure.note}", flush=True)


def report(
    doc: str,
    measure: Callable[[argparse.Namespace], Iterator[Figure]],
    *,
    full: str = "",
    options_of: Callable[[argparse.ArgumentParser], object] = lambda _: None,
) -> int:
    """Read the command line, measure, print; return 0 where every target is met.

    `full` says what `--full` does, where there is one; `options_of` adds a harness' own options.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    if full:
        parser.add_argument("--full", action="store_true", help=full)
    options_of(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    figures = []
    for figure in measure(options):
        figures.append(figure)
        show(figure)
    if options.json:
        keep(figures, options.json)
    return 0 if all(figure.kept is not False for figure in figures) else 1


def keep(figures: list[Figure], file: Path) -> None:
    """Write figures as JSON, one a line: a change of one is a change of one line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(asdict(figure), ensure_ascii=False) for figure in figures)
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")
