"""Run the programs in `further/`, fill the templates there, and write the results as labelled mails.

    python make_further.py PYTHON311 PYTHON27 > further.jsonl
    python make_further.py > later.jsonl

The second command fills only the templates of the second batch, which has no programs. The script works like
`make_wide.py`, with the same data. PHP, Go, Ruby, Node, Java, Mono, Rust, Perl, Elixir and Lua are taken from the PATH.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from further.programs import PROGRAMS
from further.templates import Template, read
from make_wide import HERE, labelled, program_mails
from wide.data import Data, rng_of
from wide.layouts import render

FURTHER = Path(__file__).parent / "further"
FIRST = ("reports.txt", "logs.txt", "crashes.txt")
LATER = ("later.txt",)
VARIANTS = (("base", 0, 0), ("same", 0, 0), ("data", 0, 0), ("data", 0, 0), ("deploy", 1, 0), ("redeploy", 0, 19))
"""Name, index of the installation folder, number of lines by which the source is shifted."""


def main(pythons: list[str]) -> None:
    programs = PROGRAMS if pythons else ()
    with ThreadPoolExecutor(2) as pool:
        of_programs = list(pool.map(lambda program: list(program_mails(program, pythons)), programs))
    templates = chain.from_iterable(read(FURTHER / name) for name in (FIRST if pythons else LATER))
    mails = [*chain.from_iterable(of_programs), *chain.from_iterable(map(mails_of, templates))]
    for number, mail in enumerate(mails, 1):
        print(json.dumps({"id": f"f{number:05}", "subject": "Application error", **mail, "source": "own"}))


def mails_of(template: Template) -> Iterator[dict[str, str]]:
    """Yield the variants of one error, without those whose text is equal to another one's."""
    seen = set()
    program, _, place = template.name.partition(".")
    site = f"{place or program}_again" if template.elsewhere else place or program
    for number, (variant, where, shift) in enumerate(VARIANTS):
        data = Data(rng_of(template.label, f"{variant}{number}" if number > 1 else "base"))
        if variant == "same":
            data.now = Data(rng_of(template.label, "base")).later().now
        subject, text = template.filled(data, HERE[where].format(program), shift)
        text = render(template.layout, text.rstrip("\n"), data, program, site, folder=HERE[where])
        if text not in seen:
            seen.add(text)
            found = labelled(
                template.label, template.name, template.near, variant, text, template.layout, template.language
            )
            yield {"subject": subject, **found}


if __name__ == "__main__":
    main(sys.argv[1:])
