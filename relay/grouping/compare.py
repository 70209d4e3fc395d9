"""Two mails side by side: are they the same error, and what decided it? (for `relay explain A B` and the dashboard)

Pure. Guarantee: the answer is the one that sort gives. Two mails are one error if they have one fingerprint, after the
administrator's rules, in one app and on one route.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from itertools import zip_longest

from relay.grouping.components import ChainedError, Components, components
from relay.grouping.rules import Judgement
from relay.model import Fingerprint, Report
from relay.parameterize.template import Template

MOST_WORDS = 3
"""So many places of a sentence may differ to be worth a hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One of the two mails, all the way to its group."""

    report: Report
    found: Fingerprint
    """Before the rules."""
    judged: Judgement
    """After them."""
    route: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One thing about both mails, as lines to be put side by side."""

    name: str
    one: tuple[str, ...]
    other: tuple[str, ...]
    same: bool
    counts: bool = True
    """Whether two mails that differ in it are two errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is to be said of two mails."""

    same: bool
    why: str
    """What decided, in a sentence."""
    aspects: tuple[Aspect, ...]
    """All that counts; of what does not count, that which differs."""
    hint: str = ""
    """How little would have made them one error; "" where it was more."""


def compare(one: Case, other: Case) -> Comparison:
    """Whether the two are the same error, and why."""
    parts, others = components(one.report), components(other.report)
    counted = [*_around(one, other), *_of_components(parts, others)]
    besides = [aspect for aspect in _besides(one.report, other.report, parts, others) if not aspect.same]
    same, why = _decided(one, other, counted)
    return Comparison(
        same=same,
        why=why,
        aspects=(*counted, *besides),
        hint="" if same else _hint(one, other, [aspect.name for aspect in counted if not aspect.same]),
    )


# --- What decided -----------------------------------------------------------------------------------------------------


def _decided(one: Case, other: Case, counted: Iterable[Aspect]) -> tuple[bool, str]:
    if one.judged.ignored or other.judged.ignored:
        return _ignored(one, other)
    if one.judged.fingerprint.key != other.judged.fingerprint.key:
        return False, _why_two(one, other, counted)
    if (one.report.app, one.route) != (other.report.app, other.route):
        what = "apps" if one.report.app != other.report.app else "routes"
        return False, f"the fingerprint is one, but errors of two {what} are never put together"
    if one.found.key != other.found.key:
        return True, f"{_rule(one)}; without it they would be two"
    return True, "all that counts is equal"


def _ignored(one: Case, other: Case) -> tuple[bool, str]:
    if one.judged.ignored and other.judged.ignored:
        return False, f"neither is told at all: {_rule(one)}; {_rule(other)}"
    ignored, place = (one, "first") if one.judged.ignored else (other, "second")
    return False, f"the {place} is not told at all: {_rule(ignored)}"


def _why_two(one: Case, other: Case, counted: Iterable[Aspect]) -> str:
    rules = [_rule(each) for each in (one, other) if each.judged.fingerprint.key != each.found.key]
    if rules:
        besides = "; without it they would be one" if one.found.key == other.found.key else ""
        return "; ".join(rules) + besides
    return "these differ: " + ", ".join(aspect.name for aspect in counted if not aspect.same)


def _rule(case: Case) -> str:
    """What a rule did, as it stands at the end of the steps."""
    return case.judged.fingerprint.steps[-1]


# --- What counts ------------------------------------------------------------------------------------------------------


def _around(one: Case, other: Case) -> Iterator[Aspect]:
    yield _aspect("app", (one.report.app,), (other.report.app,))
    yield _aspect("route", (one.route,), (other.route,))


def _of_components(one: Components, other: Components) -> Iterator[Aspect]:
    if bool(one.chain) != bool(other.chain):
        yield _aspect("stack trace", (_kind(one),), (_kind(other),))
    elif one.chain:
        yield from _of_chains(_links(one), _links(other))
    else:
        for place, name in enumerate(("file", "function", "logger")):
            yield _aspect(f"logged by: {name}", (one.location[place],), (other.location[place],))
        yield _sentence("message", one.message, other.message, same=one.words == other.words)


def _kind(parts: Components) -> str:
    return f"{len(parts.chain)} in its chain" if parts.chain else "none"


def _links(parts: Components) -> list[ChainedError]:
    """From the one that was reported down to its first cause, then those inside a group; each as often as it counts."""
    chain = {link.part: link for link in parts.chain if not link.error.member}
    inner = {link.part: link for link in parts.chain if link.error.member}
    return [*reversed(chain.values()), *(inner[part] for part in sorted(inner))]


def _of_chains(one: Sequence[ChainedError], other: Sequence[ChainedError]) -> Iterator[Aspect]:
    """Error by error; what only one of them has differs as a whole."""
    for depth, (link, its) in enumerate(zip_longest(one, other)):
        under = f", {depth} below" if depth else ""
        yield _aspect(f"exception{under}", _type(link), _type(its))
        if link and its:
            yield _sentence(f"message{under}", link.template, its.template, same=link.template.key == its.template.key)
            yield _aspect(f"calls{under}", _calls(link), _calls(its))


def _type(link: ChainedError | None) -> tuple[str, ...]:
    return (link.type or "not told",) if link else ("none",)


def _calls(link: ChainedError) -> tuple[str, ...]:
    return tuple(frame.place for frame in link.calls.own)


def _sentence(name: str, one: Template, other: Template, *, same: bool) -> Aspect:
    return Aspect(name=name, one=_lines(one.text), other=_lines(other.text), same=same)


def _aspect(name: str, one: tuple[str, ...], other: tuple[str, ...]) -> Aspect:
    return Aspect(name=name, one=one, other=other, same=one == other)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.strip().split("\n"))


# --- What does not ----------------------------------------------------------------------------------------------------

_FIELDS = ("subject", "level", "location", "time", "environment", "host", "release", "count")


def _besides(one: Report, other: Report, parts: Components, others: Components) -> Iterator[Aspect]:
    for name in _FIELDS:
        yield _uncounted(name, (_field(one, name),), (_field(other, name),))
    yield _uncounted("data", _data(parts), _data(others))
    if parts.chain and others.chain:
        yield _uncounted("message above the trace", _lines(one.message), _lines(other.message))
        yield _uncounted("calls of libraries", _librarys(parts), _librarys(others))


def _field(report: Report, name: str) -> str:
    value = report.level.name if name == "level" else getattr(report, name)
    return str(value)


def _data(parts: Components) -> tuple[str, ...]:
    """What was replaced in what counts."""
    said = [link.template for link in parts.chain] or [parts.message]
    return tuple(f"{kind}: {value}" for template in said for kind, value in template.found)


def _librarys(parts: Components) -> tuple[str, ...]:
    own = {frame for link in parts.chain for frame in link.calls.own}
    return tuple(frame.place for frame in parts.frames if frame not in own)


def _uncounted(name: str, one: tuple[str, ...], other: tuple[str, ...]) -> Aspect:
    return Aspect(name=name, one=one, other=other, same=one == other, counts=False)


# --- How little it was ------------------------------------------------------------------------------------------------


Change = tuple[str, int, int, int, int]
"""As `difflib` has it: what was done, and from where to where in each of the two."""


def _hint(one: Case, other: Case, differing: Sequence[str]) -> str:
    """Where nothing but a few words of one message differ: which, and the rule that would take them for data."""
    if len(differing) != 1 or not differing[0].startswith("message"):
        return ""
    pairs = zip(_said(one.report), _said(other.report), strict=True)
    words, others = next((said.split(), its.split()) for said, its in pairs if said != its)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    if len(changes) > MOST_WORDS or sum(end - start for _, start, end, *_ in changes) >= len(words):
        return ""
    told = f"only {', '.join(_told(words, others, change) for change in changes)}"
    glob = _glob(words, changes)
    if not all(fnmatchcase(f"{report.message}\n{report.trace}", glob) for report in (one.report, other.report)):
        return told
    return f'{told}; if that is data, a rule with action = "join" and message = "{glob}" makes them one error'


def _said(report: Report) -> list[str]:
    parts = components(report)
    return [link.template.key for link in _links(parts)] or [" ".join(parts.words)]


def _told(words: Sequence[str], others: Sequence[str], change: Change) -> str:
    _, start, end, its_start, its_end = change
    here, there = " ".join(words[start:end]), " ".join(others[its_start:its_end])
    return f"{here!r} here is {there!r} there" if here and there else f"{here or there!r} is in one of them alone"


_MAY_BE = "\0"
"""Stands for what one of the two alone has: the spaces around it are there once or twice."""


def _glob(words: Sequence[str], changes: Iterable[Change]) -> str:
    """A pattern for a rule's `message`, in which what differs stands for anything."""
    pieces: list[str] = []
    done = 0
    for done_to_it, start, end, *_ in changes:
        pieces += [*words[done:start], "*" if done_to_it == "replace" else _MAY_BE]
        done = end
    text = f"*{' '.join([*pieces, *words[done:]])}*"
    text = re.sub(f" ?{_MAY_BE} ?", "*", text)
    text = re.sub(r'[\["\\]', "?", text)
    text = re.sub(r"\* (\S+)", r"* \1*", text)  # the word after data was put into the singular
    return re.sub(r"\*(?: ?\*)+", "*", text)
