"""Run the programs in `programs/` and write what they print when they fail, as labelled mails.

    python make.py PYTHON [PYTHON ...] > own.jsonl

Each PYTHON is an interpreter in a virtualenv with the packages that the programs import. The first one creates the base
mails. Node, Java and Rust are taken from the PATH. Only folders are replaced, by those of a usual installation.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
LAYOUTS = ("flaskdoc", "std", "plain")
FOREIGN = {
    "invoices.js": ("total", "load", "length"),
    "Tickets.java": ("sell", "price", "owner"),
    "meters.rs": ("reading", "meter"),
}
INSTALLED = {"here": "/srv/{}/current", "there": "/home/deploy/{}/releases/20260917114502"}
REWORDED = ("reminder.timeout",)
"""Errors whose chain differs in some versions of Python."""
VARIANTS = (("base", "here", 0), ("deploy", "there", 0), ("redeploy", "here", 17))
"""Name, installation, number of lines by which the source is shifted."""


def main(pythons: list[str]) -> None:
    rows = [row for path in sorted(PROGRAMS.iterdir()) for row in mails_of(path, pythons)]
    for number, row in enumerate(rows, 1):
        print(json.dumps({"id": f"o{number:04}", **row}))


def mails_of(path: Path, pythons: list[str]):
    if path.name in FOREIGN:
        for which in FOREIGN[path.name]:
            yield from foreign_mails(path, which)
    elif path.name != "start.py":
        for function in re.findall(r"^def (run_\w+)", path.read_text(), re.MULTILINE):
            yield from python_mails(path, function, pythons)


def python_mails(path: Path, function: str, pythons: list[str]):
    name = path.stem
    layout = LAYOUTS[sum(map(ord, name)) % 3]
    for seed, (variant, place, shift) in enumerate(VARIANTS):
        yield row(name, function, variant, python_text(path, function, pythons[0], place, shift, seed, layout), layout)
    for seed, python in enumerate(pythons[1:], len(VARIANTS)):
        variant = "pyver_hard" if label_of(name, function) in REWORDED else "pyver"
        yield row(name, function, variant, python_text(path, function, python, "here", 0, seed, layout), layout)


def python_text(path: Path, function: str, python: str, place: str, shift: int, seed: int, layout: str) -> str:
    name = path.stem
    root = INSTALLED[place].format(name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).mkdir()
        (Path(folder) / name / "work.py").write_text("# moved\n" * shift + path.read_text())
        shutil.copy(PROGRAMS / "start.py", folder)
        text = output([python, f"{folder}/start.py", name, function, str(seed), layout])
        prefix, base = output([python, "-c", "import sys; print(sys.prefix, sys.base_prefix)"]).split()
        return text.replace(folder, root).replace(prefix, f"{root}/venv").replace(base, "/usr/local")


def foreign_mails(path: Path, which: str):
    name = path.stem.lower()
    for seed, (variant, place, shift) in enumerate(VARIANTS, 11):
        root = INSTALLED[place].format(name)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / path.name
            source.write_text("// moved\n" * shift + path.read_text())
            text = output([*RUN[path.suffix](source), which, str(seed)]).replace(folder, root)
            yield row(name, which, variant, text, "native", {".js": "node", ".rs": "rust"}.get(path.suffix, "java"))


def node(source: Path) -> list[str]:
    return ["node", str(source)]


def java(source: Path) -> list[str]:
    subprocess.run(["javac", "-d", str(source.parent), str(source)], check=True)
    return ["java", "-cp", str(source.parent), "org.tickets.Tickets"]


def rust(source: Path) -> list[str]:
    subprocess.run(["rustc", "-g", "-o", str(source.with_suffix("")), str(source)], check=True)
    return ["env", "RUST_BACKTRACE=1", str(source.with_suffix(""))]


RUN = {".js": node, ".java": java, ".rs": rust}


def row(name: str, which: str, variant: str, text: str, layout: str, language: str = "python") -> dict[str, str]:
    label = label_of(name, which)
    return {
        "subject": "Application error", "text": text, "label": label, "variant": variant, "family": label,
        "relation": "positive", "fmt": layout, "lang": language, "source": "own",
    }  # fmt: skip


def label_of(name: str, which: str) -> str:
    return f"{name}.{which.removeprefix('run_')}"


def output(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
