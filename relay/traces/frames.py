"""What a stack trace is made of, whatever language printed it.

A trace is a chain of errors, oldest cause first as Python prints it, each with its frames,
outermost call first. Files are named without the folder they are installed in (`paths`), so
that two machines, two releases and two virtualenvs give equal frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import wraps
from typing import NamedTuple, Protocol

CUT_MARKER_PREFIX = "[... error-mail-relay: "
"""So begins the line that stands for the middle of a large mail (`model.CUT_MARKER`): a trace goes on after it."""


class Origin(IntEnum):
    """Whose code a frame runs."""

    APP = 0
    INSTALLED = 1
    """Installed as a package that is none of the well-known ones: another library, or the app itself."""
    LIBRARY = 2
    """The language's own library, a well-known package, or code that a framework generates."""


class Frame(NamedTuple):
    """One call. A named tuple, since thirty of them are made for each mail."""

    file: str
    """The file without its install folder, e.g. `shop/cart.py`; for Java the class with its package."""
    function: str
    """"" where the trace does not say."""
    origin: Origin
    package: str = ""
    """The top package of an `INSTALLED` frame, e.g. `shop`."""

    @property
    def place(self) -> str:
        """`function (file)`, for people and for the key alike."""
        return f"{self.function or '?'} ({self.file})"


Stack = tuple[Frame, ...]
"""The calls of one error, outermost first."""


class Error(NamedTuple):
    """One exception of a chain. A named tuple, like all that is made for each mail, since it is made much faster."""

    type: str
    """As printed, e.g. `sqlalchemy.exc.IntegrityError`; "" where the trace is cut off before it."""
    message: str
    """The first line of its text."""
    frames: Stack
    member: bool = False
    """True for one of the exceptions inside an exception group: their number and order mean nothing."""


class Trace(NamedTuple):
    """A stack trace found in a text: the whole lines `text[start:end]`, without the last one's end."""

    language: str
    errors: tuple[Error, ...]
    """Never empty; the one that was reported in the end comes last."""
    start: int
    end: int


class Language(Protocol):
    """One language's way to print a trace: each is a module."""

    @property
    def MARKERS(self) -> tuple[str, ...]:  # noqa: N802 - a module's constant
        """Texts of which at least one is in every trace of this language: a cheap first look."""

    @property
    def read(self) -> Callable[[str], Trace | None]:
        """The first trace in a text (lines ended by newline), in time linear in its length; None where none is."""


def line_based(read: Callable[[Sequence[str]], Trace | None]) -> Callable[[str], Trace | None]:
    """Give a reader of lines, which counts `start` and `end` in lines, the text's."""

    @wraps(read)
    def read_text(text: str) -> Trace | None:
        lines = text.split("\n")
        trace = read(lines)
        return trace and with_text_offsets(trace, lines)

    return read_text


def with_text_offsets(trace: Trace, lines: Sequence[str], first: int = 0) -> Trace:
    """`trace`, which counts in `lines`, as it stands in the text in which these lines begin at `first`."""
    start = first + sum(map(len, lines[: trace.start])) + trace.start
    length = sum(map(len, lines[trace.start : trace.end])) + trace.end - trace.start - 1
    return Trace(language=trace.language, errors=trace.errors, start=start, end=start + length)
