"""Choose the statement of a text: the lines that say what the mail is about (segment → statement → document).

In this order: a labelled exception type; the lines that name a failure, strongest block first; the subject, if it names
a failure and the text does not; else all of the text that is not about the mail itself.

Guarantee: pure, bounded and linear. Lines that say nothing about the error never change the statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from relay.model import Level
from relay.parameterize import failure_words
from relay.parse.document.fields import Field, Meaning, field_of, is_known
from relay.parse.document.line import Line
from relay.parse.document.records import level_named
from relay.parse.document.segment import Block, BlockKind

MAX_LINES = 12
"""Lines of a statement. The key of a message has no more (`parameterize.template.MAX_LINES`)."""
_NEAR = 2
"""Blocks whose score is lower than the best by at most this number belong to the statement."""
_MAX_HEADING = 80
_CODE_NAME = re.compile(r"[A-Za-z][\w]*(?:[-_./][\w]+){1,10}")
"""The value of the label `name` that names a thing, and not a person."""

_TYPE = re.compile(r"[\w.$`:\\<>\[\]/@-]{2,200}$")
_LEADING_LEVEL = re.compile(r"[\W_]{0,6}([A-Z]{3,9}(?=s?(?![a-z]))|[A-Z][a-z]{3,8}(?=[:\]]))(?![\w'-])")
_IS_LEVEL = re.compile(
    r"(?<![\w-])(?:is|state|status|->|=>|to|ist|est|:)\s?:?\s?\**\s?(CRITICAL|CRIT|WARNING|WARN|EMERGENCY|ALERT|FATAL)(?![\w-])"
)
_NUMBERED_SEVERITY = re.compile(r"\(?\d{1,2}\)?[ .:-]{0,3}(?=\D)")
"""The number in `(4) Warning`."""
_SEVERITY_PAIR = re.compile(r"(?<!\S)(?:severity|level|priority)=[\"']?([A-Za-z]{3,13})", re.IGNORECASE)
_SEVERITIES = {
    "disaster": Level.CRITICAL,
    "high": Level.ERROR,
    "average": Level.ERROR,
    "major": Level.ERROR,
    "minor": Level.WARNING,
    "medium": Level.WARNING,
    "low": Level.WARNING,
    "information": Level.INFO,
    "urgent": Level.CRITICAL,
    "오류": Level.ERROR,
    "경고": Level.WARNING,
    "심각": Level.CRITICAL,
    "错误": Level.ERROR,
    "警告": Level.WARNING,
    "严重": Level.CRITICAL,
    "エラー": Level.ERROR,
    "重大": Level.CRITICAL,
    "kritisch": Level.CRITICAL,
    "hoch": Level.ERROR,
    "fehler": Level.ERROR,
    "warnung": Level.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a text says that failed."""

    lines: tuple[str, ...]
    """At most `MAX_LINES` lines, in their order."""
    headline: str
    """The line that names the error; "" if none stands out."""
    reason: str
    """Why it was chosen, in plain words, for `relay explain`."""
    type: str = ""
    """A labelled exception type; "" without one."""
    level: Level | None = None
    names: tuple[tuple[str, str], ...] = field(default=())
    """Labelled things that failed, which are part of the error: ("service", "web")."""
    strong: bool = True
    """False if the text does not say that anything failed."""


def choose(blocks: Sequence[Block]) -> Statement | None:
    """Return the statement of the text that has `blocks`; None if there is none."""
    lines = [line for block in blocks for line in block.lines]
    if not lines:
        return None
    fields = _fields(lines)
    return _labelled_exception(fields) or _named_failure(blocks, fields) or _all(blocks, fields)


_OCCURRED = re.compile(
    r"(?mi)^\W{0,4}(?:an?|the|eine?|une?)\s(?:\w+\s)?(?:exception\s(?:of\stype\s)?)?[\"'`]?(?P<type>[A-Za-z_][\w.:\\$]{2,120})[\"'`]?\s(?:exception\s)?(?:has\s|was\s)?(?:occurred|raised|thrown|caught|happened|ist\saufgetreten|s'est\sproduite?)"
)


def exception_in(text: str) -> str:
    """Return `Type: message` for a text that names an exception: `An Errno::ENOSPC occurred in …:`; else ""."""
    found = _OCCURRED.search(text[:20_000])
    if found is None or not ("::" in found["type"] or found["type"].endswith(("Error", "Exception"))):
        return ""
    below = (line.strip() for line in text[found.end() : found.end() + 4_000].split("\n")[1:])
    lines = [line for line in below if line]
    labelled = (each.value for line in lines if (each := field_of(line)) and each.label in _EXCEPTION_MESSAGES)
    message = next(labelled, lines[0] if lines and not field_of(lines[0]) else "")
    return f"{found['type']}: {message}" if message else found["type"]


def _fields(lines: Sequence[Line]) -> list[Field]:
    """Return the labelled values. A label without a value has the next line as its value."""
    found = []
    for line, below in zip(lines, [*lines[1:], None], strict=True):
        each = line.field
        if each is None:
            continue
        if not each.value and below is not None and below.field is None and below.number <= line.number + 2:
            each = each._replace(value=below.text.strip())
        if each.value:
            found.append(each)
    return found


# --- A labelled exception ---------------------------------------------------------------------------------------------

_EXCEPTION_MESSAGES = ("exception message", "error message", "exception value", "message", "msg", "error description")


def _labelled_exception(fields: Sequence[Field]) -> Statement | None:
    """Return the statement of `Exception type: …`, with the message labelled beside it."""
    number, type_ = next(
        ((n, each.value) for n, each in enumerate(fields) if each.meaning is Meaning.TYPE and _TYPE.match(each.value)),
        (-1, ""),
    )
    if number < 0 or not any(char.isupper() or char in ".:_" for char in type_):
        return None
    near = fields[max(0, number - 3) : number + 4]
    message = next((each for each in fields[number:] if each.label in _EXCEPTION_MESSAGES[:4]), None)
    message = message or next((each for each in near if each.meaning is Meaning.MESSAGE and each.label != "info"), None)
    text = message.value if message else ""
    line = f"{type_}: {text}" if text else type_
    return Statement(
        lines=(line,),
        headline=line,
        reason="labelled exception type",
        type=type_,
        level=_level(fields, ""),
        names=_names(fields),
    )


# --- A line that names a failure --------------------------------------------------------------------------------------


def _named_failure(blocks: Sequence[Block], fields: Sequence[Field]) -> Statement | None:
    best = max(block.score for block in blocks)
    if best < failure_words.STRONG:
        return None
    least = max(failure_words.STRONG, best - _NEAR)
    first = next(block for block in blocks if block.score >= least)
    chosen = sorted(
        (block for block in blocks if block.score >= least), key=lambda block: -block.score - (block is first)
    )
    chosen = [block for block in chosen if block is chosen[0] or block.kind is not BlockKind.CONSOLE]
    line = _headline(chosen[0])
    kept: list[Line] = _heading(first, chosen[0], line)
    for block in chosen:
        if len(kept) < MAX_LINES:
            kept += _telling(block, line)[: MAX_LINES - len(kept)]
    heading = _shown(kept[0]) if kept and kept[0].number < line.number and line.field is not None else ""
    kept = sorted(dict.fromkeys(kept), key=lambda each: each.number)
    shown = _shown(line)
    level = _level(fields, shown) or max(filter(None, (level_in(_shown(each)) for each in kept)), default=None)
    if heading and first is not chosen[0]:
        shown = f"{heading.rstrip(' .!:')}: {shown}"
    return Statement(
        lines=tuple(_shown(each) for each in kept),
        headline=shown,
        reason=_reason(chosen[0], line),
        level=level,
        names=_names([*_fields(chosen[0].lines), *fields]),
    )


def _heading(first: Block, best: Block, line: Line) -> list[Line]:
    """Return the short sentence above the labelled values that says which thing failed: `Connection failed Service db`."""
    if first is best or best.kind is not BlockKind.FIELDS or first.kind is not BlockKind.PROSE:
        return []
    heading = first.lines[0]
    short = len(first.lines) <= 2 and len(heading.text.strip()) <= _MAX_HEADING and heading.score >= failure_words.WEAK
    return [heading] if short and heading.text.strip() not in line.text else []


def _headline(block: Block) -> Line:
    """Return the strongest line; among equals the last one of a program's output, else the first one."""
    best = block.score
    lines = [line for line in block.lines if line.score == best]
    return lines[-1] if block.kind is BlockKind.CONSOLE else lines[0]


def _telling(block: Block, headline: Line) -> list[Line]:
    """Return the lines of `block` that identify the error, the headline and the lines nearest to it first."""
    if block.kind is BlockKind.FIELDS:
        kept = [line for line in block.lines if line is headline or _identifies(line)]
    elif block.kind is BlockKind.CONSOLE:
        kept = [line for line in block.lines if line.score >= min(block.score, failure_words.STRONG)]
    else:
        kept = list(block.lines)
    return sorted(kept, key=lambda line: (line is not headline, -line.score, -line.number))


def _identifies(line: Line) -> bool:
    if line.field is None:
        return line.score > 0
    if line.field.meaning is Meaning.MESSAGE and not is_known(line.field.label):
        return line.score > failure_words.STRONG
    return line.score >= failure_words.STRONG or line.field.meaning in (Meaning.MESSAGE, Meaning.TYPE, Meaning.SUBJECT)


def _shown(line: Line) -> str:
    """Return the line; of a labelled message only the value."""
    if line.field is not None and line.field.value and line.field.meaning in (Meaning.MESSAGE, Meaning.TYPE):
        return line.field.value
    return line.text.strip()


def _reason(block: Block, line: Line) -> str:
    if line.field is not None and line.field.meaning in (Meaning.MESSAGE, Meaning.TYPE):
        return f"labelled {line.field.label}"
    if block.kind is BlockKind.CONSOLE:
        return "last line of the output that names a failure"
    return "line that names a failure"


# --- Nothing names a failure ------------------------------------------------------------------------------------------


def _all(blocks: Sequence[Block], fields: Sequence[Field]) -> Statement:
    lines = [line for block in blocks for line in block.lines]
    hint = max(lines, key=lambda line: line.score)
    headline = hint if hint.score >= failure_words.WEAK else lines[0]
    return Statement(
        lines=_with_blank_lines(blocks),
        headline=_shown(headline),
        reason="line that hints at a failure" if headline is hint else "first line that is not about the mail itself",
        level=_level(fields, _shown(headline)),
        names=(),
        strong=False,
    )


def _with_blank_lines(blocks: Sequence[Block]) -> tuple[str, ...]:
    lines: list[str] = []
    for block in blocks:
        lines += [*([""] if lines else []), *(line.text.rstrip() for line in block.lines)]
    return tuple(lines[: 2 * MAX_LINES])


# --- Level and names --------------------------------------------------------------------------------------------------


def level_in(text: str) -> Level | None:
    """Return the level that a line states: at its beginning (`CRITICAL - …`), or as a state (`is WARNING`)."""
    if (found := _LEADING_LEVEL.match(text)) and (level := level_named(found[1])):
        return level
    found = _IS_LEVEL.search(text[:500])
    return level_named(found[1]) if found else None


def _level(fields: Sequence[Field], headline: str) -> Level | None:
    for each in fields:
        if each.meaning is Meaning.LEVEL and (level := severity_named(each.value)):
            return level
    for each in fields:
        if (pair := _SEVERITY_PAIR.search(each.value)) and (level := severity_named(pair[1])):
            return level
    states = [level for each in fields if each.meaning is Meaning.STATE and (level := level_named(each.value))]
    worst = max(states, default=None)
    return level_in(headline) if worst in (None, Level.INFO) and failure_words.score(headline) else worst


def severity_named(value: str) -> Level | None:
    """Return the level for the value of a label such as `Severity`; None if it is not known."""
    name = _NUMBERED_SEVERITY.sub("", value)
    return level_named(name) or _SEVERITIES.get(name.strip().lower())


def _names(fields: Iterable[Field]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for each in fields:
        if each.meaning is Meaning.SUBJECT and (each.label != "name" or _CODE_NAME.fullmatch(each.value)):
            found.setdefault(each.label, each.value[:200])
    return tuple(sorted(found.items())[:6])
