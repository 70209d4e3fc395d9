"""Texts on which a regular expression backtracks longest, derived from the expression itself.

A pattern backtracks catastrophically on a long run of what one of its repetitions matches, after the text that leads to
that repetition, and before an end that does not match. `attacks` makes such runs: for every repetition, with several
characters that it matches; and for the whole pattern, with its beginning repeated.
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
_MISMATCH = "¬"
"""Ends a run, so that a pattern which needs an end there backtracks."""
MAX_CHARACTERS = 3
"""Number of different characters tried for one repetition."""


def patterns() -> dict[str, re.Pattern]:
    """Return every regular expression in the modules of `relay`, however deep in tables, by its place."""
    found: dict[str, re.Pattern] = {}
    for module in pkgutil.walk_packages(relay.__path__, "relay."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if not name.startswith("__"):
                for number, pattern in enumerate(_patterns_in(value)):
                    if pattern not in found.values():
                        found[f"{module.name}.{name}[{number}]"] = pattern
    return found


def _patterns_in(value: Any, depth: int = 0) -> Iterator[re.Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth == 5 or isinstance(value, str | bytes | type):
        return
    elif isinstance(value, dict):
        yield from _patterns_in([*value, *value.values()], depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _patterns_in(each, depth + 1)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _patterns_in(getattr(value, each.name, None), depth + 1)
    elif type(value).__module__.startswith("relay."):
        yield from _patterns_in(list(getattr(value, "__dict__", {}).values()), depth + 1)
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        yield from _patterns_in([getattr(value, name, None) for name in slots], depth + 1)


# --- One pattern ------------------------------------------------------------------------------------------------------


class _Walk:
    """Walks through a parsed pattern; `repetitions` are pairs of the text before a repetition and a text it matches."""

    def __init__(self, pattern: re.Pattern) -> None:
        self._groups: dict[int, str] = {}
        self.repetitions: list[tuple[str, str]] = []
        self.shortest = self.text_of(_parser.parse(pattern.pattern, pattern.flags), "")

    def text_of(self, tree: Iterable, before: str) -> str:
        """Return a short text that this part of the pattern matches after `before`."""
        text = ""
        for kind, argument in tree:
            text += self._node_text(str(kind), argument, before + text)
        return text

    def _node_text(  # noqa: PLR0911 - one for each kind of node
        self, kind: str, argument: Any, before: str
    ) -> str:
        if kind == "LITERAL":
            return chr(argument)
        if kind in ("IN", "NOT_LITERAL", "ANY"):
            return self._characters(kind, argument)[0]
        if kind.endswith("_REPEAT"):
            return self._repeated(argument[0], argument[1], argument[2], before)
        if kind == "BRANCH":
            return [self.text_of(branch, before) for branch in argument[1]][0]  # noqa: RUF015 - all branches are walked
        if kind == "SUBPATTERN":
            text = self.text_of(argument[3], before)
            if argument[0] is not None:
                self._groups[argument[0]] = text
            return text
        if kind == "ATOMIC_GROUP":
            return self.text_of(argument, before)
        if kind in ("ASSERT", "ASSERT_NOT"):
            self.text_of(argument[1], before)
            return ""
        return self._groups.get(argument, "") if kind == "GROUPREF" else ""

    def _repeated(self, least: int, most: Any, tree: Any, before: str) -> str:
        once = self.text_of(tree, before)
        if int(most) > 1:
            for pump in self._pumps(tree, once):
                self.repetitions.append((before, pump))
        return once * min(least, 50)

    def _pumps(self, tree: Any, once: str) -> list[str]:
        [(kind, argument), *rest] = list(tree)
        if not rest and str(kind) in ("IN", "NOT_LITERAL", "ANY"):
            return self._characters(str(kind), argument)[:MAX_CHARACTERS]
        return [once] if once else []

    def _characters(self, kind: str, argument: Any) -> list[str]:
        """Return some of the characters that this set matches."""
        return [char for char in CANDIDATES if _accepts(kind, argument, char)] or ["\x01"]


def _accepts(kind: str, argument: Any, char: str) -> bool:
    if kind == "ANY":
        return char != "\n"
    if kind == "NOT_LITERAL":
        return ord(char) != argument
    negated = bool(argument) and str(argument[0][0]) == "NEGATE"
    return negated != any(_matches(str(each), value, char) for each, value in argument if str(each) != "NEGATE")


def _matches(kind: str, value: Any, char: str) -> bool:
    if kind == "LITERAL":
        return ord(char) == value
    if kind == "RANGE":
        return value[0] <= ord(char) <= value[1]
    name = str(value).removeprefix("CATEGORY_")
    plain = {"DIGIT": char.isdigit(), "SPACE": char.isspace(), "WORD": char.isalnum() or char == "_"}
    return not plain[name.removeprefix("NOT_")] if name.startswith("NOT_") else plain[name]


def attacks(pattern: re.Pattern, length: int = LENGTH) -> list[str]:
    """Return texts of about `length` characters on which a careless pattern would take very long."""
    walk = _Walk(pattern)
    runs = [(before, pump) for before, pump in walk.repetitions] + [("", walk.shortest)]
    runs += [("", before + pump * 3) for before, pump in walk.repetitions]
    texts = (before + pump * ((length - len(before)) // len(pump)) + _MISMATCH for before, pump in runs if pump)
    return list(dict.fromkeys(texts))


# --- Attacks inside a mail --------------------------------------------------------------------------------------------


def attacks_by_pattern(length: int = LENGTH) -> dict[str, list[str]]:
    """Return the attacks on each pattern, without those that an earlier pattern has."""
    seen: set[str] = set()
    found = {}
    for place, pattern in patterns().items():
        found[place] = [attack for attack in attacks(pattern, length) if attack not in seen]
        seen.update(found[place])
    return {place: texts for place, texts in found.items() if texts}


class TimeLimitError(Exception):
    """The time limit was exceeded."""


def process_mail(content: bytes) -> None:
    """Process a mail as the worker does before it counts it."""
    fingerprint(redact(parse(record(content), ())))


def processor_seconds(work: Callable[[], object], limit: float) -> float:
    """Return the seconds of processor time that `work` takes; `limit` if it took longer and was aborted."""

    def stop(*_: object) -> None:
        raise TimeLimitError

    before = signal.signal(signal.SIGVTALRM, stop)
    begun = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, limit)
        work()
    except TimeLimitError:
        return limit
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return time.process_time() - begun


def cost(attack: str, limit: float) -> float:
    """Return the processor time for a mail with `attack`, as its text or as the message of a trace: the higher one."""
    head = "From: app@example.com\nSubject: Shop Failed"
    frame = 'Traceback (most recent call last):\n  File "/srv/a.py", line 1, in f\n    f()\nValueError: '
    contents = [raw(head, text.encode("utf-8", "replace")) for text in (attack, frame + attack)]
    return max(processor_seconds(lambda content=content: process_mail(content), limit) for content in contents)  # type: ignore[misc]
