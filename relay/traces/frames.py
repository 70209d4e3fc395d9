"""The data model of a stack trace, for every language: Trace, Error, Frame.

A trace is a chain of errors. The oldest cause comes first, as Python prints it. Each error has its frames, outermost
call first. File names do not contain the installation folder (see `paths`), so two machines, two releases and two
virtualenvs give equal frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import wraps
from typing import NamedTuple, Protocol

FIRST_WORD = r"(?:[A-Za-z]:)?+[^\s():]{1,300}+"
"""Pattern of the first word of a line, up to a colon or parenthesis: a file. Patterns in `LINES` share it."""
INDENTED = r"(?<=[ \t])"
"""Beginning of the patterns in `LINES` of lines that are always indented."""
CUT_MARKER_PREFIX = "[... error-mail-relay: "
"""Beginning of the line that replaces the middle of a large mail (`model.CUT_MARKER`). A trace continues after it."""


class Origin(IntEnum):
    """Who wrote the code that a frame runs."""

    APP = 0
    INSTALLED = 1
    """Installed as a package, but not a well-known one: another library, or the app itself."""
    LIBRARY = 2
    """The language's standard library, a well-known package, or code that a framework generates."""


class Frame(NamedTuple):
    """One call. A named tuple, because it is fast to create: a typical mail has thirty of them."""

    file: str
    """The file without its installation folder, e.g. `shop/cart.py`. For Java, the class with its package."""
    function: str
    """"" if the trace does not name it."""
    origin: Origin
    package: str = ""
    """The top package of an `INSTALLED` frame, e.g. `shop`."""

    @property
    def place(self) -> str:
        """`function (file)`, as shown to people and as used in the fingerprint."""
        return f"{self.function or '?'} ({self.file})"


Stack = tuple[Frame, ...]
"""The calls of one error, outermost first."""


class Error(NamedTuple):
    """One exception of a chain. A named tuple, because it is fast to create."""

    type: str
    """As printed, e.g. `sqlalchemy.exc.IntegrityError`; "" if the trace is cut off before the type."""
    message: str
    """The first line of the message."""
    frames: Stack
    member: bool = False
    """True for an exception inside an exception group. Their number and order do not identify the error."""
    source: str = ""
    """The end of the stack as Python printed it, for `python.source_lines`; "" in other languages."""


class SourceLine(NamedTuple):
    """The line of source code that a trace prints with a frame."""

    frame: Frame
    marked: str
    """The part that the trace marks with `^^^^`; the whole line if it marks none."""
    whole: str


class Trace(NamedTuple):
    """A stack trace found in a text: the whole lines `text[start:end]`, without the final newline."""

    language: str
    errors: tuple[Error, ...]
    """Never empty. The error that was finally reported comes last."""
    start: int
    end: int


class Language(Protocol):
    """The trace format of one language. Each language is a module.

    Every trace contains one of the `MARKERS` or has a line that begins with one of the `LINES`: a cheap first check.
    """

    @property
    def MARKERS(self) -> tuple[str, ...]:  # noqa: N802 - a module's constant
        """Strings that can stand anywhere."""

    @property
    def LINES(self) -> tuple[str, ...]:  # noqa: N802 - a module's constant
        """Patterns of the beginning of a line, behind its indentation. They must be cheap: they meet every line."""

    @property
    def read(self) -> Callable[[str], Trace | None]:
        """Return the first trace in a text (lines end with a newline), or None. Takes time linear in the text."""


def line_based(read: Callable[[Sequence[str]], Trace | None]) -> Callable[[str], Trace | None]:
    """Turn a parser of lines, whose `start` and `end` are line numbers, into a parser of a text that gives offsets."""

    @wraps(read)
    def read_text(text: str) -> Trace | None:
        lines = text.split("\n")
        trace = read(lines)
        return trace and with_text_offsets(trace, lines)

    return read_text


def with_text_offsets(trace: Trace, lines: Sequence[str], first: int = 0) -> Trace:
    """Return `trace` with character offsets in place of line numbers.

    `first` is the offset in the text at which `lines` begin.
    """
    start = first + sum(map(len, lines[: trace.start])) + trace.start
    length = sum(map(len, lines[trace.start : trace.end])) + trace.end - trace.start - 1
    return Trace(language=trace.language, errors=trace.errors, start=start, end=start + length)
