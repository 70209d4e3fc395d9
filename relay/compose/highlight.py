"""Colours a Python traceback for the HTML alternative, as spans with one-letter classes.

The colours stand in the mail's style sheet, not in each span: a trace costs little more
than its text, and a client that drops the sheet shows the plain trace. Guarantee: the
result, stripped of its spans, is the escaped text, and the work is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from markupsafe import Markup, escape
from pygments.lexers.python import PythonTracebackLexer
from pygments.token import Comment, Generic, Keyword, Number, Punctuation, String, Token
from pygments.token import _TokenType as TokenType

MOST = 12_000
"""Characters beyond which a trace is not coloured: some of the lexer's patterns look far ahead."""

_CLASSES = (
    (Generic.Error, "e"),
    (Punctuation.Marker, "m"),
    (Keyword, "k"),
    (String, "s"),
    (Number, "n"),
    (Comment, "c"),
)
_STUCK = 100
"""So many empty tokens in a row mean that the lexer stands before a line that it will never get past."""

# The lexer loses its way at lines that Python itself never mixes into frames, or mixes in seldom.
_FOREIGN = re.compile(r"^((?:… |  \[Previous line repeated ).*\n?)", re.MULTILINE)

_MARKER_LINE = re.compile(r'^( +)<span class="m">([^<]*)</span>\n', re.MULTILINE)
"""A line of `~~~^~~~`, taken into its span as a whole: a phone, where it would only be broken, can then hide it."""


class _LostError(Exception):
    """The lexer goes round in circles."""


def highlight(trace: str) -> Markup:
    """`trace` escaped, its keywords, strings, numbers, comments, markers and exception names in spans."""
    if len(trace) > MOST or "Traceback" not in trace:
        return escape(trace)
    try:
        coloured = Markup("").join(
            Markup('<span class="{}">{}</span>').format(name, text) if name else escape(text)
            for name, text in _runs(trace + "\n")  # the lexer knows an exception's line by its end
        )
    except _LostError:
        return escape(trace)
    html = _MARKER_LINE.sub(r'<span class="m">\1\2\n</span>', str(coloured))
    return Markup("".join(html.rsplit("\n", 1)))  # noqa: S704 - escaped before


def _runs(trace: str) -> Iterator[tuple[str, str]]:
    """The class and the text of each stretch of equal class."""
    for name, stretch in groupby(_classified(trace), key=lambda pair: pair[0]):
        yield name, "".join(text for _, text in stretch)


def _classified(trace: str) -> Iterator[tuple[str, str]]:
    lexer = PythonTracebackLexer(stripnl=False, ensurenl=False)
    empty = 0
    for part in _FOREIGN.split(trace):
        if _FOREIGN.match(part):
            yield "c", part
        else:
            for kind, text in lexer.get_tokens(part):
                empty = 0 if text else empty + 1
                if empty > _STUCK:  # e.g. at `  File "a.py", line 7, x`: its rules send it to and fro there
                    raise _LostError
                yield _class(kind, text), text


def _class(kind: TokenType, text: str) -> str:
    if "\n" in text or kind is Token:
        return ""
    return next((name for parent, name in _CLASSES if kind[: len(parent)] == parent), "")
