"""Run the programs in `wide/`, fill the alerts there, and write the results as labelled mails.

    python make_wide.py PYTHON311 PYTHON27 [PYTHON ...] > wide.jsonl

PHP (with Monolog and Twig), Go, Ruby, Node, Java, Kotlin, Mono, Rust, Perl and Elixir are taken from the PATH. The
data of a program comes from its environment. It is drawn for each variant from a generator that is seeded with the name
of the variant, so every run gives the same data. Folders are replaced by those of a usual installation.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain
from pathlib import Path

from wide.data import KINDS, Data, rng_of
from wide.layouts import render
from wide.programs import PROGRAMS, Program, printed

WIDE = Path(__file__).parent / "wide"
HERE = ("/srv/{}/current", "/home/deploy/{}/releases/20260917114502", "/opt/{}", "/var/www/{}")
ALERT_VARIANTS = ("base", "same", "data", "data", "data", "deploy", "eol")


def main(pythons: list[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        of_programs = list(pool.map(lambda program: list(program_mails(program, pythons)), PROGRAMS))
    mails = [*chain.from_iterable(of_programs), *alert_mails()]
    for number, mail in enumerate(mails, 1):
        print(json.dumps({"id": f"w{number:05}", "subject": "Application error", **mail, "source": "own"}))


# --- Programs ---------------------------------------------------------------------------------------------------------


def program_mails(program: Program, pythons: list[str]) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        straight = program.build(Path(folder) / "a", 0, pythons)
        shifted = program.build(Path(folder) / "b", 23, pythons)
        for which in program.errors:
            seen: set[str] = set()
            for variant, data, place in variants(f"{program.name}.{which}"):
                run = shifted if variant == "redeploy" else straight
                text = printed(run, which, data, HERE[place].format(program.name))
                if text not in seen:
                    seen.add(text)
                    yield mail_of(program, which, variant, text, data)
            for number, python in enumerate(pythons[2:] if program.versions else []):
                data = Data(rng_of(f"{program.name}.{which}", f"pyver{number}"))
                run = program.build(Path(folder) / f"v{number}", 0, [python])
                yield mail_of(program, which, "pyver", printed(run, which, data, HERE[0].format(program.name)), data)


def variants(label: str) -> Iterator[tuple[str, Data, int]]:
    """Yield the name of each variant, its data, and the index of its installation folder."""
    base = Data(rng_of(label, "base"))
    yield "base", base, 0
    yield "same", base.later(), 0
    for kind in KINDS:
        yield kind, base.redrawn(kind, rng_of(label, kind)), 0
    yield "data", Data(rng_of(label, "data")), 0
    yield "deploy", Data(rng_of(label, "deploy")), 1 + zlib.crc32(label.encode()) % 3
    yield "redeploy", Data(rng_of(label, "redeploy")), 0
    yield "eol", base, 0


def mail_of(program: Program, which: str, variant: str, text: str, data: Data) -> dict[str, str]:
    family, _, near = which.partition(".")
    layout = program.layouts.get(family, program.layout)
    text = text if layout in program.own_layouts else render(layout, text, data, program.name, family)
    return labelled(
        f"{program.name}.{which}", f"{program.name}.{family}", near, variant, text, layout, program.language
    )


def labelled(label: str, family: str, near: str, variant: str, text: str, layout: str, lang: str) -> dict[str, str]:
    relation = f"neg_{near if near in NEAR else 'func'}" if near else "positive"
    return {
        "text": text.replace("\n", "\r\n") if variant == "eol" else text,
        "label": label, "variant": variant, "family": family, "relation": relation, "fmt": layout, "lang": lang,
    }  # fmt: skip


NEAR = ("type", "func", "msg", "cause", "site")


# --- Alerts -----------------------------------------------------------------------------------------------------------


def alert_mails() -> Iterator[dict[str, str]]:
    lines = (WIDE / "alerts.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(line for line in lines if line and not line.startswith("#")):
        name, layout, message, near_miss = line.split("\t")
        yield from alert(name, "", layout, message, name)
        yield from alert(name, "msg", layout, near_miss, name)
        if layout == "flaskdoc" and number % 3 == 0:
            yield from alert(name, "site", layout, message, f"{name}_again")


def alert(name: str, near: str, layout: str, template: str, site: str) -> Iterator[dict[str, str]]:
    label = ".".join(filter(None, ("alert", name, near)))
    for number, variant in enumerate(ALERT_VARIANTS):
        data = Data(rng_of(label, f"{variant}{number}" if variant == "data" else variant.replace("eol", "base")))
        if variant == "same":
            data = Data(rng_of(label, "base"))
            data.now += timedelta(seconds=4_321)
        text = data.filled(template.replace("\\n", "\n"))
        folder = HERE[1] if variant == "deploy" else HERE[0]
        text = render(layout, text, data, site.partition(".")[0], site.rpartition(".")[2] or site, folder=folder)
        yield labelled(label, f"alert.{name}", near, variant, text, layout, "text")


if __name__ == "__main__":
    main(sys.argv[1:])
