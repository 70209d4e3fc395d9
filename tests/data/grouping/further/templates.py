"""Templates of mails, as runtimes, handlers and daemons print them, with slots for the data.

A file contains errors, each with its near misses:

    ## name <tab> layout <tab> language
    Subject: …                     at most once, at the top
    text with {slots}
    @2-5 a line that occurs two to five times, each time with other data
    -- near: old => new | old => new     the same text with these changes; nothing after the colon: another module

`{L40}` is a line number, which a redeployment shifts. `{root}` is the installation folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wide.data import Data

from further.words import SLOTS

_TIMES = re.compile(r"@(\d)-(\d) (.*)", re.DOTALL)
_LINE = re.compile(r"L\d+")
LITERAL = ("main", "closure", "hostname", "now", "Cancelling")
_SLOT = re.compile(r"\{(%[^}]+|L\d+|pl:[a-z ]+|\[?[A-Za-z]+\d*)\}")


@dataclass(frozen=True, kw_only=True)
class Template:
    """One error; `near` is "" for the first error of a family."""

    name: str
    layout: str
    language: str
    subject: str
    lines: tuple[str, ...]
    near: str = ""
    elsewhere: bool = False

    @property
    def label(self) -> str:
        return ".".join(filter(None, (self.name, self.near)))

    def filled(self, data: Data, root: str, shift: int) -> tuple[str, str]:
        """Return the subject and the text of one occurrence."""
        subject = fill(self.subject, data, root, shift)
        return subject or "Application error", "\n".join(self._filled(data, root, shift)) + "\n"

    def _filled(self, data: Data, root: str, shift: int) -> Iterator[str]:
        for line in self.lines:
            times = _TIMES.fullmatch(line)
            for _ in range(data.rng.randint(int(times[1]), int(times[2])) if times else 1):
                yield fill(times[3] if times else line, data, root, shift)

    def missed_by(self, near: str, changes: str) -> Template:
        """Return the near miss with these changes."""
        lines, subject = "\n".join(self.lines), self.subject
        for change in filter(None, changes.split(" | ")):
            old, _, new = change.partition(" => ")
            assert old in lines + subject, (self.name, old)
            lines, subject = lines.replace(old, new), subject.replace(old, new)
        return replace(self, near=near, lines=tuple(lines.split("\n")), subject=subject, elsewhere=not changes)


def fill(text: str, data: Data, root: str, shift: int) -> str:
    """Return `text` with its slots filled."""
    return _SLOT.sub(lambda match: _filling(match, data, root, shift), text)


def _filling(match: re.Match[str], data: Data, root: str, shift: int) -> str:
    name = match[1]
    if name.startswith("%"):
        return f"{data.now:{name}}"
    if _LINE.fullmatch(name):
        return str(int(name[1:]) + shift)
    if name.startswith("pl:"):
        number = data.rng.choice([1, 1, 2, 3, 17])
        return f"{number} {name[3:]}{'' if number == 1 else 's'}"
    fixed = {
        "root": root, "request": data.env["UUID"], "short": data.env["HOST"].partition(".")[0],
        "pid": str(data.now.second * 97 + 311),
    } | dict.fromkeys(LITERAL, match[0])  # fmt: skip
    return fixed[name] if name in fixed else str(SLOTS[name](data.rng)) if name in SLOTS else data.slot(name)


def read(path: Path) -> Iterator[Template]:
    """Yield the errors of a file; near misses follow the first error of their family."""
    for block in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, *lines = block.rstrip("\n").split("\n")
        name, layout, language = head.split("\t")
        near = [line for line in lines if line.startswith("-- ") and ":" in line]
        lines = [line for line in lines if line not in near]
        subject = lines.pop(0).removeprefix("Subject: ") if lines[0].startswith("Subject: ") else ""
        literal = [line if line.startswith("{") else line.replace("\\n", "\n") for line in lines]
        first = Template(name=name, layout=layout, language=language, subject=subject, lines=tuple(literal))
        yield first
        for line in near:
            which, _, changes = line.removeprefix("-- ").partition(":")
            yield first.missed_by(which, changes.strip())
