"""Fit the template of a source line to a message, and say which parts of the message are data (source_template).

Guarantee: linear in the message. A literal is looked for once, from the end of the one before it, without backtracking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from relay.parameterize import failure_words
from relay.parameterize.source_template.template import SourceTemplate

Span = tuple[int, int]
"""Begin and end of a part of a message."""

MAX_MESSAGE = 2_000
"""Characters. A longer message fits no template."""

_PREFIX = re.compile(r"\d{3}(?: [A-Z][A-Za-z' -]{1,40})?: |\[Errno -?\d{1,6}\] ")
"""What exceptions of HTTP and of the operating system print before the text that they were given: `404 Not Found: `."""
_SUFFIX = re.compile(r" \(\d{1,9} sub-exceptions?\)$")
_MAX_SUFFIX = 40
"""What an exception group prints after its text, and how many characters this is at most."""
_QUOTES = ("'", '"')
_MIN_WORDS_OUTSIDE = 2
"""Fixed words of a template if its line did not raise the error itself but called what did."""
_MIN_WORDS_OF_TEXT = 2
"""Fixed words of a template if a value of several words is data."""
_CODE_NAME = re.compile(
    r"__(?:name|qualname|class|module)__|(?<!\w)type\(|(?<!\w)(?:object|model|class|type|func|function)_?name\b"
    r"|inspect\."
)
"""An expression whose value is a name from the code. Such a name identifies an error."""
_ERROR_TEXT = re.compile(
    r"(?<![^\W_])(?:exc|exception|err|error|errors|reason|cause|message|msg|detail|details|problem|why|strerror|stderr"
    r"|stdout|output|traceback|failure|failures|[Rr]eason|[Mm]essage)(?![^\W_])"
    r"|^\W*(?:str\()?(?:e|ex)\b(?!\s*[(\[])|(?:Error|Exception|Message|Reason)\b"
)
"""An expression whose value is the text of another error. Its words say what happened."""
_ONE_OF = re.compile(r"\(?[\"'].{0,200}\belse [\"']|.{0,200}\? ?[\"'].{0,200}: ?[\"']")
"""A choice between constants, such as `'on' if live else 'off'`: fixed words."""


class _Value(Enum):
    """What the value of an expression is."""

    DATA = auto()
    FIXED = auto()
    """A name from the code, or one of a few constants."""
    ERROR_TEXT = auto()


@lru_cache(maxsize=512)
def _value(expression: str) -> _Value:
    if _CODE_NAME.search(expression) or _ONE_OF.match(expression):
        return _Value.FIXED
    return _Value.ERROR_TEXT if _ERROR_TEXT.search(expression) else _Value.DATA


_LONG_WORD = re.compile(r"[^\W\d_]{3,}")
_MAX_WORDS = 40


def shares_a_word(message: str, line: str) -> bool:
    """Return True if a word of `message` stands in `line`. Otherwise no template of the line fits: a cheap check."""
    words = islice(_LONG_WORD.finditer(message), _MAX_WORDS)
    return any(word[0] in line for word in words) or not _LONG_WORD.search(message)


class Fit(NamedTuple):
    """A message that a template fits."""

    message: str
    """The message, without the quotes that Python puts around the text of a KeyError."""
    data: tuple[Span, ...]
    """The parts of `message` that are data."""


def fit(message: str, templates: Sequence[SourceTemplate], *, raised: bool = True) -> Fit | None:
    """Return what the first template says that fits `message` whole; None if none does.

    `raised` is False for the line of an outer call. Such a template needs two fixed words.
    """
    if not message or len(message) > MAX_MESSAGE:
        return None
    for template in templates:
        if raised or template.words >= _MIN_WORDS_OUTSIDE:
            for begin, end, literals in _bodies(message, template):
                if (values := _values(literals, message, begin, end)) is not None:
                    text = message[begin:end] if begin == 1 else message
                    data = tuple(_data(message, values, template))
                    return Fit(text, tuple((start - 1, stop - 1) for start, stop in data) if begin == 1 else data)
    return None


def _bodies(message: str, template: SourceTemplate) -> Iterable[tuple[int, int, Sequence[str]]]:
    """Yield what can be the formatted text, with the fixed texts as they stand in it.

    That is the message without its prefix or its suffix, all of it, or the text in the quotes of a KeyError.
    """
    if prefix := _PREFIX.match(message):
        yield prefix.end(), len(message), template.literals
    if message[-1] == ")" and (suffix := _SUFFIX.search(message, max(0, len(message) - _MAX_SUFFIX))):
        yield 0, suffix.start(), template.literals
    yield 0, len(message), template.literals
    quote = message[0]
    if quote in _QUOTES and message[-1] == quote and len(message) > len(_QUOTES):
        yield 1, len(message) - 1, [_escaped(literal, quote) for literal in template.literals]


def _escaped(literal: str, quote: str) -> str:
    """Return a fixed text as `repr` prints it."""
    for char, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r"), (quote, f"\\{quote}")):
        literal = literal.replace(char, escape)
    return literal


def _values(literals: Sequence[str], message: str, begin: int, end: int) -> tuple[Span, ...] | None:
    """Return the parts of `message[begin:end]` between the fixed texts; None if they do not fit all of it."""
    first, *between = literals
    while begin < end and message[begin].isspace():
        begin += 1
    while begin < end and message[end - 1].isspace():
        end -= 1
    if not between:
        return () if message[begin:end].strip() == first.strip() else None
    *between, last = between
    first, last = first.lstrip(), last.rstrip()
    if not message.startswith(first, begin, end) or not message.endswith(last, begin, end):
        return None
    stop = end - len(last)
    edges = [begin + len(first)]
    for literal in between:
        place = message.find(literal, edges[-1], stop)
        if place < 0:
            return None
        edges += [place, place + len(literal)]
    if edges[-1] > stop:
        return None
    edges.append(stop)
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _data(message: str, spans: Sequence[Span], template: SourceTemplate) -> Iterable[Span]:
    """Yield the holes that hold data: not the names of types, and not the text of another error."""
    for (begin, end), expression in zip(spans, template.holes, strict=True):
        value = message[begin:end]
        if value.strip() and _value(expression) is _Value.DATA and _is_data(value, template):
            yield begin, end


def _is_data(value: str, template: SourceTemplate) -> bool:
    """Return True for a word, and for several words that name no failure: the title of a book, the name of a person."""
    if len(value.split()) == 1:
        return True
    return template.words >= _MIN_WORDS_OF_TEXT and not failure_words.has_failure_word(value)
