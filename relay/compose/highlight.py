"""Colour a Python traceback for the HTML part, as spans with one-letter classes.

The colours are in the style sheet of the mail, not in each span. A coloured trace is therefore little longer than its
text, and a client that drops the style sheet shows the plain trace.

Guarantee: without its spans the result is the escaped text, and the work is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from markupsafe import Markup, escape
from pygments.lexers.python import PythonTracebackLexer
from pygments.token import Comment, Generic, Keyword, Number, Punctuation, String, Token
from pygments.token import _TokenType as TokenType

MAX_LENGTH = 12_000
"""Characters; a longer trace is not coloured, because some patterns of the lexer look far ahead."""

_CLASSES = (
    (Generic.Error, "e"),
    (Punctuation.Marker, "m"),
    (Keyword, "k"),
    (String, "s"),
    (Number, "n"),
    (Comment, "c"),
)
_STUCK = 100
"""More empty tokens in a row than this mean that the lexer cannot get past a line."""

# These lines between frames confuse the lexer: our own mark of omitted lines, and Python's mark of repeated lines.
_FOREIGN = re.compile(r"^((?:… |  \[Previous line repeated ).*\n?)", re.MULTILINE)

_MARKER_LINE = re.compile(r'^( +)<span class="m">([^<]*)</span>\n', re.MULTILINE)
"""A line of `~~~^~~~`. Its span includes the indent and the line end, so that the style for phones can hide the line.
"""


class _LexerStuckError(Exception):
    """The lexer yields empty tokens without end."""


def highlight(trace: str) -> Markup:
    """Return `trace` as HTML, with keywords, strings, numbers, comments, markers and exception names in spans."""
    if len(trace) > MAX_LENGTH or "Traceback" not in trace:
        return escape(trace)
    try:
        coloured = Markup("").join(
            Markup('<span class="{}">{}</span>').format(name, text) if name else escape(text)
            for name, text in _runs(trace + "\n")  # the lexer needs a line end to recognise the exception
        )
    except _LexerStuckError:
        return escape(trace)
    html = _MARKER_LINE.sub(r'<span class="m">\1\2\n</span>', str(coloured))
    return Markup("".join(html.rsplit("\n", 1)))  # noqa: S704 - escaped before


def _runs(trace: str) -> Iterator[tuple[str, str]]:
    """Yield the class and the text of each run of tokens with the same class."""
    for name, run in groupby(_classified(trace), key=lambda pair: pair[0]):
        yield name, "".join(text for _, text in run)


def _classified(trace: str) -> Iterator[tuple[str, str]]:
    lexer = PythonTracebackLexer(stripnl=False, ensurenl=False)
    empty = 0
    for part in _FOREIGN.split(trace):
        if _FOREIGN.match(part):
            yield "c", part
        else:
            for kind, text in lexer.get_tokens(part):
                empty = 0 if text else empty + 1
                if empty > _STUCK:  # e.g. at `  File "a.py", line 7, x`: two of its states lead to each other there
                    raise _LexerStuckError
                yield _class(kind, text), text


def _class(kind: TokenType, text: str) -> str:
    if "\n" in text or kind is Token:
        return ""
    return next((name for parent, name in _CLASSES if kind[: len(parent)] == parent), "")
