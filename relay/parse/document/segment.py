"""Split a text into blocks: paragraphs, labelled values, quoted mail, and what says nothing about the error (→ statement).

Guarantee: pure, bounded and linear. The blocks cover all lines but blank ones, rules, and those that are only about the
mail itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from relay.parameterize import failure_words
from relay.parameterize.template import parameterize
from relay.parse.document import boilerplate
from relay.parse.document.fields import Meaning, field_of
from relay.parse.document.line import Line, line_of

MAX_LINES = 2_000
"""Lines of a text that are read: of more, the first and the last ones."""
_MAX_SIGNATURE = 12
"""Lines below a signature mark that belong to it."""
_MAX_AFTER_SIGN_OFF = 6
_LIST = 4
"""Lines of a block that can be a list."""
_MAX_COMPARED = 200
"""Lines of a block that are compared without their data; of further ones, only those that differ in more than digits."""
_DIGITS = re.compile(r"\d+")
_LONG = 5
"""A block with more lines is the output of a program, unless its lines are labelled values."""
_MAX_GREETING = 3
"""A greeting stands in this number of first lines, or above all that is kept."""
_CLEAR_FAILURE = failure_words.STRONG + 4
"""A line about the mail itself stays if it says this strongly that something failed."""
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


class BlockKind(StrEnum):
    """What the lines of a block are."""

    PROSE = "text"
    FIELDS = "fields"
    CONSOLE = "output"
    """The output of a program: more lines than a person writes in one paragraph."""
    QUOTED = "quoted"


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
    reader = _Reader()
    for number in _bounded_range(_end_of_text(lines)):
        reader.read(number, lines[number].rstrip(), lines[number - 1] if number else "")
    return reader.found


class _Reader:
    """Reads a text line by line and keeps those that can be about the error."""

    def __init__(self) -> None:
        self.found: list[Line | None] = []
        """The lines so far; None where a paragraph ends."""
        self._introduces = False
        """True if the last line announces what follows."""
        self._has_kept = False
        """True if a line was kept."""

    def read(self, number: int, line: str, above: str) -> None:
        """Read the next line. A blank line after one that announces something does not end the paragraph."""
        text = line.strip()
        if not text:
            if not self._introduces:
                self.found.append(None)
            return
        introduced, self._introduces = self._introduces, _introduces(text)
        if self._introduces and self.found and self.found[-1] is None and text.rstrip(" :：").lower() in _CAUSES:
            self.found.pop()  # the cause belongs to the error above it
        if boilerplate.is_rule(text):
            if not above.strip():
                self.found.append(None)
        elif boilerplate.is_banner(line):
            self.found.append(None)
        elif not self._is_about_the_mail(number, text, introduced=introduced):
            self._keep(number, line, introduced=introduced)

    def _is_about_the_mail(self, number: int, text: str, *, introduced: bool) -> bool:
        if (number < _MAX_GREETING or not self._has_kept) and boilerplate.is_greeting(text):
            return True
        return not introduced and boilerplate.is_notice(text) and failure_words.score(text) < _CLEAR_FAILURE

    def _keep(self, number: int, whole: str, *, introduced: bool) -> None:
        self._has_kept = True
        line = line_of(number, whole, introduced=introduced)
        above = self.found[-1] if self.found else None
        if above is not None and introduced and line.score < failure_words.WEAK:
            self.found[-1] = above = above._replace(score=failure_words.score(above.text))
        if above is not None and _is_folded(above, line):
            self.found[-1] = line_of(above.number, f"{above.text.rstrip()} {line.text.strip()}", introduced=False)
        else:
            self.found.append(line)


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


def _distinct(lines: Sequence[Line]) -> Sequence[Line]:
    """Return `lines` without those that differ from an earlier one only in data: the length of a list is data."""
    if len(lines) < _LIST:
        return lines
    unlike: dict[str, Line] = {}
    for line in lines:
        unlike.setdefault(_DIGITS.sub("0", line.text), line)
    found: dict[str, Line] = {}
    for number, line in enumerate(unlike.values()):
        found.setdefault(parameterize(line.text).key if number < _MAX_COMPARED else line.text, line)
    return list(found.values())


def _block(lines: Sequence[Line]) -> Block:
    logged = sum(line.logged for line in lines) * 2 > len(lines)
    lines = _distinct(lines)
    fields = sum(line.field is not None for line in lines)
    if all(line.text.lstrip().startswith(">") for line in lines):
        kind = BlockKind.QUOTED
    elif fields * 2 > len(lines):
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
