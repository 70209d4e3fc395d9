"""Split a text into blocks: paragraphs, labelled values, quoted mail, and what says nothing about the error (→ statement).

Guarantee: pure, bounded and linear. The blocks cover all lines but blank ones, rules, and those that are only about the
mail itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from relay.parameterize import failure_words
from relay.parameterize.template import parameterize
from relay.parse.document import boilerplate
from relay.parse.document.fields import Field, Meaning, field_of
from relay.parse.document.records import begins_with_time
from relay.parse.layouts import syslog

MAX_LINES = 4_000
"""Lines of a text that are read: of more, the first and the last ones."""
_MAX_SIGNATURE = 12
"""Lines below a signature mark that belong to it."""
_MAX_AFTER_SIGN_OFF = 6
_LIST = 4
"""Lines of a block that can be a list."""
_LONG = 5
"""A block with more lines is the output of a program, unless its lines are labelled values."""
_HEADING = 2
"""The score of a line that ends with a colon and speaks of a failure: what it announces says more."""
_LONG_LINE = 60
_MAX_HEADING = 200
_CAUSES = (
    "caused by",
    "cause",
    "root cause",
    "reason",
    "verursacht durch",
    "ursache",
    "causé par",
    "causado por",
    "causato da",
    "원인",
    "사유",
    "原因",
)
"""Headings of a block that belongs to the one above it."""
_MESSAGES = (
    "message",
    "error message",
    "output",
    "description",
    "exception message",
    "메시지",
    "내용",
    "消息",
    "メッセージ",
)
_LABELLED = 3
"""What a label of the meaning MESSAGE adds to the score of its value; TYPE adds one more."""


class BlockKind(StrEnum):
    """What the lines of a block are."""

    PROSE = "text"
    FIELDS = "fields"
    CONSOLE = "output"
    """The output of a program: more lines than a person writes in one paragraph."""
    QUOTED = "quoted"


class Line(NamedTuple):
    """One line of a block."""

    number: int
    text: str
    score: int
    """How strongly it says that something failed; see `failure_words.score`."""
    field: Field | None = None
    """If it is a labelled value."""
    logged: bool = False
    """True for a line of a log, which begins with a time."""


class Block(NamedTuple):
    """Consecutive lines that belong together."""

    kind: BlockKind
    lines: tuple[Line, ...]

    @property
    def score(self) -> int:
        """The score of its strongest line."""
        return max((line.score for line in self.lines), default=0)


def blocks_of(lines: Sequence[str]) -> list[Block]:
    """Return the blocks of `lines`, in order."""
    blocks: list[Block] = []
    paragraph: list[Line] = []
    for line in _relevant_lines(lines):
        if line is not None:
            paragraph.append(line)
        elif paragraph:
            blocks.append(_block(paragraph))
            paragraph = []
    if paragraph:
        blocks.append(_block(paragraph))
    return blocks


def _relevant_lines(lines: Sequence[str]) -> list[Line | None]:
    """Return the lines that can be about the error; None where a paragraph ends."""
    found: list[Line | None] = []
    end = _end_of_text(lines)
    ends_with_colon = False
    for number in _bounded_range(end):
        text = lines[number].strip()
        if not text:
            if not ends_with_colon:
                found.append(None)
            continue
        introduced, ends_with_colon = ends_with_colon, _introduces(text)
        if ends_with_colon and found and found[-1] is None and text.rstrip(" :：").lower() in _CAUSES:
            found.pop()
        if boilerplate.is_rule(text):
            found.append(None) if not (number and lines[number - 1].strip()) else None
            continue
        if (number < 3 or not any(found)) and boilerplate.is_greeting(text):
            continue
        if boilerplate.is_notice(text) and not introduced:
            if failure_words.score(text) < failure_words.STRONG + 4:
                continue
        if boilerplate.is_banner(lines[number]):
            found.append(None)
            continue
        line = _line(number, lines[number].rstrip(), introduced=introduced)
        above = found[-1] if found else None
        if introduced and above is not None and line.score < failure_words.WEAK:
            found[-1] = above = above._replace(score=failure_words.score(above.text))
        if above is not None and _is_folded(above, line):
            found[-1] = _line(above.number, f"{above.text.rstrip()} {line.text.strip()}", introduced=False)
        else:
            found.append(line)
    return found


def _is_folded(above: Line, line: Line) -> bool:
    """Return True if `line` continues the long line above it, as a mail system folds its replies."""
    indented = line.text.startswith("    ") and not above.text.startswith(" ")
    return indented and len(above.text) >= _LONG_LINE and line.field is None and not above.text.endswith((":", "："))


def _introduces(text: str) -> bool:
    """Return True for a line that announces a failure: `The following error was logged:`."""
    if not text.endswith((":", "：")) or len(text) >= _MAX_HEADING:
        return False
    field = field_of(text)
    labels = field is not None and (field.meaning is Meaning.TYPE or field.label in (*_CAUSES, *_MESSAGES))
    return labels or failure_words.score(text) >= failure_words.STRONG


def _bounded_range(end: int) -> Sequence[int]:
    if end <= MAX_LINES:
        return range(end)
    return [*range(MAX_LINES // 2), *range(end - MAX_LINES // 2, end)]


def _line(number: int, whole: str, *, introduced: bool) -> Line:
    text = syslog.without_header(whole)
    field = field_of(text)
    score = failure_words.score(text)
    if field is not None:
        score = _field_score(field, score)
    if introduced and score >= failure_words.WEAK:
        score = max(score, failure_words.STRONG) + 1
    elif field is None and text.endswith((":", "：")):
        score = min(score, _HEADING)
    return Line(number, text, score, field, begins_with_time(whole))


_FINE = frozenset(
    [
        "ok",
        "success",
        "successful",
        "succeeded",
        "passed",
        "done",
        "running",
        "up",
        "completed",
        "complete",
        "0",
        "none",
        "normal",
        "good",
        "healthy",
        "finished",
        "true",
        "yes",
    ]
)


def _is_fine(value: str) -> bool:
    return value.lower().strip(" .") in _FINE or (value.startswith(("0 ", "2")) and value[:3].isdigit())


def _field_score(field: Field, score: int) -> int:
    if not field.value:
        return min(score, failure_words.STRONG)
    value = failure_words.score(field.value)
    match field.meaning:
        case Meaning.TYPE:
            return value + _LABELLED + 1
        case Meaning.MESSAGE:
            if field.value.lower().strip(" .") in _FINE:
                return 0
            return (
                max(value, 1) + _LABELLED - 1 + (2 if failure_words.score(field.label) >= failure_words.STRONG else 0)
            )
        case Meaning.STATE:
            return (
                0
                if _is_fine(field.value)
                else max(value, failure_words.STRONG if field.value[0].isdigit() else score - 1)
            )
        case Meaning.SUBJECT | Meaning.PLACE:
            return value
        case Meaning.LEVEL:
            return min(value, 1)
        case _:
            named = (
                failure_words.score(field.label) >= failure_words.STRONG
                and field.value.lower().strip(" .") not in _FINE
            )
            return max(value, failure_words.STRONG if named else 0)


def _distinct(lines: Sequence[Line]) -> Sequence[Line]:
    """Return `lines` without those that differ from an earlier one only in data: the length of a list is data."""
    if len(lines) < _LIST:
        return lines
    found: dict[str, Line] = {}
    for line in lines:
        found.setdefault(parameterize(line.text).key, line)
    return list(found.values())


def _block(lines: Sequence[Line]) -> Block:
    logged = sum(line.logged for line in lines) * 2 > len(lines)
    lines = _distinct(lines)
    fields = sum(line.field is not None for line in lines)
    if all(line.text.lstrip().startswith(">") for line in lines):
        kind = BlockKind.QUOTED
    elif fields * 2 > len(lines) or (fields == len(lines)):
        kind = BlockKind.FIELDS
    elif logged or len(lines) > _LONG:
        kind = BlockKind.CONSOLE
    else:
        kind = BlockKind.PROSE
    return Block(kind, tuple(lines))


def _end_of_text(lines: Sequence[str]) -> int:
    """Return the number of the line at which a signature at the end begins; the number of lines without one."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    for number in range(max(1, end - _MAX_SIGNATURE), end):
        line = lines[number]
        if boilerplate.SIGNATURE_MARK.match(line) and any(each.strip() for each in lines[:number]):
            return number
        if (
            end - number <= _MAX_AFTER_SIGN_OFF
            and boilerplate.is_sign_off(line.strip())
            and not _says_more(lines[number + 1 : end])
        ):
            return number
    return end


def _says_more(lines: Sequence[str]) -> bool:
    return any(failure_words.score(line) >= failure_words.STRONG for line in lines)
