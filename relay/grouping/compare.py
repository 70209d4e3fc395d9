"""Compare two mails: whether they are the same error, and what decides it (for `relay explain A B`).

Pure. Guarantee: the answer is the one that ingest gives. Two mails are the same error if they have the same fingerprint
(after the administrator's rules), the same app and the same route.
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

MAX_DIFFERENCES = 3
"""A message with more differences than this gets no hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One of the two mails, with everything that decides its group."""

    report: Report
    found: Fingerprint
    """The fingerprint before the rules."""
    judged: Judgement
    """The result of the rules."""
    route: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One property of both mails, as lines to be shown side by side."""

    name: str
    one: tuple[str, ...]
    other: tuple[str, ...]
    same: bool
    counts: bool = True
    """True if two mails that differ in this property are two errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The result of a comparison."""

    same: bool
    why: str
    """The reason, in a sentence."""
    aspects: tuple[Aspect, ...]
    """Every property that counts, and the properties that do not count but differ."""
    hint: str = ""
    """The few words that keep the mails apart, and a rule that joins them; "" where more differs."""


def compare(one: Case, other: Case) -> Comparison:
    """Return whether the two mails are the same error, and why."""
    parts, others = components(one.report), components(other.report)
    counted = [*_app_and_route(one, other), *_component_aspects(parts, others)]
    uncounted = [aspect for aspect in _uncounted_aspects(one.report, other.report, parts, others) if not aspect.same]
    same, why = _decision(one, other, counted)
    return Comparison(
        same=same,
        why=why,
        aspects=(*counted, *uncounted),
        hint="" if same else _hint(one, other, [aspect.name for aspect in counted if not aspect.same]),
    )


# --- The reason -------------------------------------------------------------------------------------------------------


def _decision(one: Case, other: Case, counted: Iterable[Aspect]) -> tuple[bool, str]:
    if one.judged.ignored or other.judged.ignored:
        return _ignored(one, other)
    if one.judged.fingerprint.key != other.judged.fingerprint.key:
        return False, _why_different(one, other, counted)
    if (one.report.app, one.route) != (other.report.app, other.route):
        what = "apps" if one.report.app != other.report.app else "routes"
        return False, f"the fingerprint is the same, but errors of two {what} are never grouped together"
    if one.found.key != other.found.key:
        return True, f"{_rule(one)}; without this rule they would be two errors"
    return True, "everything that counts is equal"


def _ignored(one: Case, other: Case) -> tuple[bool, str]:
    if one.judged.ignored and other.judged.ignored:
        return False, f"neither is reported: {_rule(one)}; {_rule(other)}"
    ignored, place = (one, "first") if one.judged.ignored else (other, "second")
    return False, f"the {place} is not reported: {_rule(ignored)}"


def _why_different(one: Case, other: Case, counted: Iterable[Aspect]) -> str:
    rules = [_rule(each) for each in (one, other) if each.judged.fingerprint.key != each.found.key]
    if rules:
        without = "; without the rule they would be the same error" if one.found.key == other.found.key else ""
        return "; ".join(rules) + without
    return "they differ in: " + ", ".join(aspect.name for aspect in counted if not aspect.same)


def _rule(case: Case) -> str:
    """What a rule did: the last step of the explanation."""
    return case.judged.fingerprint.steps[-1]


# --- What counts ------------------------------------------------------------------------------------------------------


def _app_and_route(one: Case, other: Case) -> Iterator[Aspect]:
    yield _aspect("app", (one.report.app,), (other.report.app,))
    yield _aspect("route", (one.route,), (other.route,))


def _component_aspects(one: Components, other: Components) -> Iterator[Aspect]:
    if bool(one.chain) != bool(other.chain):
        yield _aspect("stack trace", (_chain_length(one),), (_chain_length(other),))
    elif one.chain:
        yield from _chain_aspects(_ordered_chain(one), _ordered_chain(other))
    else:
        for place, name in enumerate(("file", "function", "logger")):
            yield _aspect(f"logged by: {name}", (one.location[place],), (other.location[place],))
        yield _sentence("message", one.message, other.message, same=one.message_parts == other.message_parts)


def _chain_length(parts: Components) -> str:
    return f"errors in its chain: {len(parts.chain)}" if parts.chain else "none"


def _ordered_chain(parts: Components) -> list[ChainedError]:
    """The reported error, its causes down to the first one, then members of exception groups. Without duplicates."""
    chain = {link.part: link for link in parts.chain if not link.error.member}
    inner = {link.part: link for link in parts.chain if link.error.member}
    return [*reversed(chain.values()), *(inner[part] for part in sorted(inner))]


def _chain_aspects(one: Sequence[ChainedError], other: Sequence[ChainedError]) -> Iterator[Aspect]:
    """Compare two chains error by error. An error that only one chain has yields its type alone."""
    for depth, (link, second) in enumerate(zip_longest(one, other)):
        where = f" at depth {depth}" if depth else ""
        yield _aspect(f"exception{where}", _type(link), _type(second))
        if link and second:
            same = link.template.key == second.template.key
            yield _sentence(f"message{where}", link.template, second.template, same=same)
            yield _aspect(f"calls{where}", _calls(link), _calls(second))


def _type(link: ChainedError | None) -> tuple[str, ...]:
    return (link.type or "unknown",) if link else ("none",)


def _calls(link: ChainedError) -> tuple[str, ...]:
    return tuple(frame.place for frame in link.calls.own)


def _sentence(name: str, one: Template, other: Template, *, same: bool) -> Aspect:
    return Aspect(name=name, one=_lines(one.text), other=_lines(other.text), same=same)


def _aspect(name: str, one: tuple[str, ...], other: tuple[str, ...]) -> Aspect:
    return Aspect(name=name, one=one, other=other, same=one == other)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.strip().split("\n"))


# --- What does not count ----------------------------------------------------------------------------------------------

_FIELDS = ("subject", "level", "location", "time", "environment", "host", "release", "count")


def _uncounted_aspects(one: Report, other: Report, parts: Components, others: Components) -> Iterator[Aspect]:
    for name in _FIELDS:
        yield _uncounted_aspect(name, (_field(one, name),), (_field(other, name),))
    yield _uncounted_aspect("data", _data(parts), _data(others))
    if parts.chain and others.chain:
        yield _uncounted_aspect("message above the trace", _lines(one.message), _lines(other.message))
        yield _uncounted_aspect("calls of libraries", _library_calls(parts), _library_calls(others))


def _field(report: Report, name: str) -> str:
    value = report.level.name if name == "level" else getattr(report, name)
    return str(value)


def _data(parts: Components) -> tuple[str, ...]:
    """The data that was replaced in the messages that count."""
    templates = [link.template for link in parts.chain] or [parts.message]
    return tuple(f"{kind}: {value}" for template in templates for kind, value in template.found)


def _library_calls(parts: Components) -> tuple[str, ...]:
    own = {frame for link in parts.chain for frame in link.calls.own}
    return tuple(frame.place for frame in parts.frames if frame not in own)


def _uncounted_aspect(name: str, one: tuple[str, ...], other: tuple[str, ...]) -> Aspect:
    return Aspect(name=name, one=one, other=other, same=one == other, counts=False)


# --- The hint ---------------------------------------------------------------------------------------------------------


Change = tuple[str, int, int, int, int]
"""An opcode of `difflib`: the operation, then start and end in the first and in the second sequence."""


def _hint(one: Case, other: Case, differing: Sequence[str]) -> str:
    """If only a few words of one message differ: these words, and a rule that treats them as data. Otherwise ""."""
    if len(differing) != 1 or not differing[0].startswith("message"):
        return ""
    pairs = zip(_message_keys(one.report), _message_keys(other.report), strict=True)
    words, others = next((first.split(), second.split()) for first, second in pairs if first != second)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    if len(changes) > MAX_DIFFERENCES or sum(end - start for _, start, end, *_ in changes) >= len(words):
        return ""
    differences = f"only these words differ: {', '.join(_difference(words, others, change) for change in changes)}"
    glob = _glob(words, changes)
    if not all(fnmatchcase(f"{report.message}\n{report.trace}", glob) for report in (one.report, other.report)):
        return differences
    return f'{differences}; if they are data, a rule with action = "join" and message = "{glob}" joins the two errors'


def _message_keys(report: Report) -> list[str]:
    parts = components(report)
    return [link.template.key for link in _ordered_chain(parts)] or [" ".join(parts.message_parts)]


def _difference(words: Sequence[str], others: Sequence[str], change: Change) -> str:
    _, start, end, other_start, other_end = change
    first, second = " ".join(words[start:end]), " ".join(others[other_start:other_end])
    return f"{first!r} / {second!r}" if first and second else f"{first or second!r} (in one of them only)"


_OPTIONAL = "\0"
"""Placeholder for words that only one message has. The spaces around it may be one or two."""


def _glob(words: Sequence[str], changes: Iterable[Change]) -> str:
    """A glob for the `message` of a rule: the first message, with `*` for the words that differ."""
    pieces: list[str] = []
    done = 0
    for operation, start, end, *_ in changes:
        pieces += [*words[done:start], "*" if operation == "replace" else _OPTIONAL]
        done = end
    text = f"*{' '.join([*pieces, *words[done:]])}*"
    text = re.sub(f" ?{_OPTIONAL} ?", "*", text)
    text = re.sub(r'[\["\\]', "?", text)
    text = re.sub(r"\* (\S+)", r"* \1*", text)  # the template turned a plural after data into the singular
    return re.sub(r"\*(?: ?\*)+", "*", text)
