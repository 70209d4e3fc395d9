"""What a regular expression takes longest for, found in its own text: for each repetition a beginning that leads there,
and what keeps it going.

A pattern that goes back again and again does so over a long run of what one of its repetitions takes, behind what leads
to that repetition, and with an end that does not fit. `attacks` makes these runs: for every repetition, with several of
the characters it takes; and for the pattern as a whole, its beginning again and again.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from re import _parser  # type: ignore[attr-defined]  # the parser knows the pattern; a second one would guess
from typing import Any

import relay
from relay.grouping.fingerprint import fingerprint
from relay.parse.report import parse
from relay.redact import redact
from tests.support.mails import raw, record

LENGTH = 200_000
"""Characters of one run in a mail."""
CANDIDATES = "a0 .\n\t/-_:=\"'([{<,;A\\é|@%&?#*+~^$!>)]}x"
_MISFIT = "¬"
"""Ends a run, so that a pattern that wants an end behind it goes back."""
MOST_LETTERS = 3
"""So many different characters of one repetition are tried."""


def patterns() -> dict[str, re.Pattern]:
    """Every regular expression that stands in a module of `relay`, however deep in its tables, by its place."""
    found: dict[str, re.Pattern] = {}
    for module in pkgutil.walk_packages(relay.__path__, "relay."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if not name.startswith("__"):
                for number, pattern in enumerate(_inside(value)):
                    if pattern not in found.values():
                        found[f"{module.name}.{name}[{number}]"] = pattern
    return found


def _inside(value: Any, depth: int = 0) -> Iterator[re.Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth == 5 or isinstance(value, str | bytes | type):
        return
    elif isinstance(value, dict):
        yield from _inside([*value, *value.values()], depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _inside(each, depth + 1)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _inside(getattr(value, each.name, None), depth + 1)
    elif type(value).__module__.startswith("relay."):
        yield from _inside(list(getattr(value, "__dict__", {}).values()), depth + 1)
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        yield from _inside([getattr(value, name, None) for name in slots], depth + 1)


# --- One pattern ------------------------------------------------------------------------------------------------------


class _Walk:
    """Goes through a parsed pattern; `repetitions` are (what leads there, what it takes)."""

    def __init__(self, pattern: re.Pattern) -> None:
        self._groups: dict[int, str] = {}
        self.repetitions: list[tuple[str, str]] = []
        self.shortest = self.text_of(_parser.parse(pattern.pattern, pattern.flags), "")

    def text_of(self, tree: Iterable, before: str) -> str:
        """A short text that this part of the pattern takes, behind `before`."""
        text = ""
        for kind, told in tree:
            text += self._step(str(kind), told, before + text)
        return text

    def _step(  # noqa: PLR0911 - one for each kind
        self, kind: str, told: Any, before: str
    ) -> str:
        if kind == "LITERAL":
            return chr(told)
        if kind in ("IN", "NOT_LITERAL", "ANY"):
            return self._letters(kind, told)[0]
        if kind.endswith("_REPEAT"):
            return self._repeated(told[0], told[1], told[2], before)
        if kind == "BRANCH":
            return [self.text_of(branch, before) for branch in told[1]][0]  # noqa: RUF015 - all are walked
        if kind == "SUBPATTERN":
            text = self.text_of(told[3], before)
            if told[0] is not None:
                self._groups[told[0]] = text
            return text
        if kind == "ATOMIC_GROUP":
            return self.text_of(told, before)
        if kind in ("ASSERT", "ASSERT_NOT"):
            self.text_of(told[1], before)
            return ""
        return self._groups.get(told, "") if kind == "GROUPREF" else ""

    def _repeated(self, least: int, most: Any, tree: Any, before: str) -> str:
        once = self.text_of(tree, before)
        if int(most) > 1:
            for pump in self._pumps(tree, once):
                self.repetitions.append((before, pump))
        return once * min(least, 50)

    def _pumps(self, tree: Any, once: str) -> list[str]:
        [(kind, told), *rest] = list(tree)
        if not rest and str(kind) in ("IN", "NOT_LITERAL", "ANY"):
            return self._letters(str(kind), told)[:MOST_LETTERS]
        return [once] if once else []

    def _letters(self, kind: str, told: Any) -> list[str]:
        """Some of the characters that this set takes."""
        return [char for char in CANDIDATES if _takes(kind, told, char)] or ["\x01"]


def _takes(kind: str, told: Any, char: str) -> bool:
    if kind == "ANY":
        return char != "\n"
    if kind == "NOT_LITERAL":
        return ord(char) != told
    negated = bool(told) and str(told[0][0]) == "NEGATE"
    return negated != any(_is(str(each), value, char) for each, value in told if str(each) != "NEGATE")


def _is(kind: str, value: Any, char: str) -> bool:
    if kind == "LITERAL":
        return ord(char) == value
    if kind == "RANGE":
        return value[0] <= ord(char) <= value[1]
    name = str(value).removeprefix("CATEGORY_")
    plain = {"DIGIT": char.isdigit(), "SPACE": char.isspace(), "WORD": char.isalnum() or char == "_"}
    return not plain[name.removeprefix("NOT_")] if name.startswith("NOT_") else plain[name]


def attacks(pattern: re.Pattern, length: int = LENGTH) -> list[str]:
    """Texts of about `length` characters on which a careless pattern would take very long."""
    walk = _Walk(pattern)
    runs = [(before, pump) for before, pump in walk.repetitions] + [("", walk.shortest)]
    runs += [("", before + pump * 3) for before, pump in walk.repetitions]
    texts = (before + pump * ((length - len(before)) // len(pump)) + _MISFIT for before, pump in runs if pump)
    return list(dict.fromkeys(texts))


# --- In a mail --------------------------------------------------------------------------------------------------------


def attacks_by_pattern(length: int = LENGTH) -> dict[str, list[str]]:
    """The attacks on each pattern, those left out that stood on one before it."""
    seen: set[str] = set()
    found = {}
    for place, pattern in patterns().items():
        found[place] = [attack for attack in attacks(pattern, length) if attack not in seen]
        seen.update(found[place])
    return {place: texts for place, texts in found.items() if texts}


class TooLongError(Exception):
    """It was still at it."""


def understand(content: bytes) -> None:
    """What the worker does with a mail before it counts it."""
    fingerprint(redact(parse(record(content), ())))


def spent(work: Callable[[], object], patience: float) -> float:
    """Seconds of processor time that `work` takes; `patience` where it took longer than that and was broken off."""

    def stop(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGVTALRM, stop)
    begun = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, patience)
        work()
    except TooLongError:
        return patience
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return time.process_time() - begun


def cost(attack: str, patience: float) -> float:
    """The same for understanding a mail that says `attack`: as its text, and as the message of a trace."""
    head = "From: app@example.com\nSubject: Shop Failed"
    frame = 'Traceback (most recent call last):\n  File "/srv/a.py", line 1, in f\n    f()\nValueError: '
    contents = [raw(head, text.encode("utf-8", "replace")) for text in (attack, frame + attack)]
    return max(spent(lambda content=content: understand(content), patience) for content in contents)  # type: ignore[misc]
