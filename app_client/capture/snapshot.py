"""What a program wants to know of a record, taken in the thread that logged it; `enclosure` writes it out later.

Taken is what dies with the request: the facts of the request, the texts of the exceptions, which code was on the stack.
Of arguments only their types are. Guarantee: nothing of the app's is held but text, numbers and code, neither frames
nor values; and it is bounded, however deep a stack and however long a chain.
"""

import logging
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import NamedTuple

from app_client.formatting.request import FactSource

MAX_ERRORS = 8
MAX_OUTER, MAX_INNER = 10, 30
"""Frames of each error: those of the way in, and those where it happened."""
MAX_ARGUMENTS = 20
MAX_TEXT = 1001
"""Characters of a text, of which one tells that there were more."""
_MAX_CHAIN = 1000  # errors of a chain that are counted

_FRAME = 100  # bytes of memory that a frame takes


class Frame(NamedTuple):
    """One call."""

    code: CodeType
    line: int
    module: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One exception of a chain."""

    module: str
    type: str
    message: str
    link: str
    """`cause` or `context`: what it is to the one before; "" for the one that was logged."""
    members: int
    """Exceptions inside, of a group."""
    frames: tuple[Frame, ...]
    """The outermost and the innermost calls, at most `MAX_OUTER` and `MAX_INNER`."""
    left_out: int
    """Frames between these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One record."""

    template: str
    """The message before its arguments were put in; "" where it is no text."""
    arguments: tuple[str, ...] | Mapping[str, str]
    """The types of its arguments, by name where they have names."""
    failures: tuple[Failure, ...]
    """The exception that was logged, then what it came from."""
    failures_left_out: int
    arguments_left_out: int
    location: str
    module: str
    function: str
    process: tuple[int, str]
    """Its number and name."""
    thread: str
    request: Mapping[str, str]

    @property
    def weight(self) -> int:
        """Roughly the bytes of memory that it takes."""
        frames = sum(len(each.frames) for each in self.failures)
        texts = [self.template, *self.request.values(), *(each.message for each in self.failures)]
        return 1024 + _FRAME * frames + 500 * len(self.failures) + sum(map(sys.getsizeof, texts))


def snapshot(record: logging.LogRecord, facts: FactSource | None) -> Snapshot | None:
    """Take it; None where the app's own classes will not have it: the mail goes without."""
    try:
        return _snapshot(record, facts)
    except Exception:  # noqa: BLE001 - an argument or an exception of the app's own may fail at anything
        return None


def _snapshot(record: logging.LogRecord, facts: FactSource | None) -> Snapshot:
    exception = record.exc_info[1] if record.exc_info else None
    request = facts() if facts else None
    links = list(islice(_chain(exception), _MAX_CHAIN)) if exception is not None else []
    return Snapshot(
        template=record.msg[:MAX_TEXT] if isinstance(record.msg, str) else "",
        arguments=_types(record.args),
        arguments_left_out=max(0, len(record.args or ()) - MAX_ARGUMENTS),
        failures=tuple(_failure(*link) for link in links[:MAX_ERRORS]),
        failures_left_out=max(0, len(links) - MAX_ERRORS),
        location=f"{record.pathname}:{record.lineno}",
        module=str(record.module),
        function=str(record.funcName or ""),
        process=(_number(record.process), str(record.processName or "")),
        thread=str(record.threadName or ""),
        request=request.known() if request else {},
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0


def _types(arguments: object) -> tuple[str, ...] | dict[str, str]:
    if isinstance(arguments, Mapping):
        return {str(name): _name(type(value)) for name, value in islice(arguments.items(), MAX_ARGUMENTS)}
    given = arguments if isinstance(arguments, tuple) else ()
    return tuple(_name(type(value)) for value in given[:MAX_ARGUMENTS])


def _name(kind: type) -> str:
    """`str`, `shop.cart.Item`."""
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def _failure(link: str, error: BaseException) -> Failure:
    kind = type(error)
    frames, left_out = _frames(error.__traceback__)
    return Failure(
        module=kind.__module__,
        type=kind.__qualname__,
        message=_message(error),
        link=link,
        members=len(error.exceptions) if isinstance(error, BaseExceptionGroup) else 0,
        frames=frames,
        left_out=left_out,
    )


def _chain(exception: BaseException) -> Iterator[tuple[str, BaseException]]:
    """As a traceback shows it; a ring ends where it closes."""
    seen = set()
    link, error = "", exception
    while id(error) not in seen:
        yield link, error
        seen.add(id(error))
        if error.__cause__ is not None:
            link, error = "cause", error.__cause__
        elif error.__context__ is not None and not error.__suppress_context__:
            link, error = "context", error.__context__


def _message(error: BaseException) -> str:
    """Its text; of a SyntaxError what a traceback shows, which is without the place."""
    text: Callable[[], object] = (lambda: error.msg) if isinstance(error, SyntaxError) else lambda: error
    try:
        return str(text())[:MAX_TEXT]
    except Exception:  # noqa: BLE001 - the app's own class may fail at anything
        return ""


def _frames(trace: TracebackType | None) -> tuple[tuple[Frame, ...], int]:
    """Those at both ends, and how many there are between."""
    walk = traceback.walk_tb(trace)
    outer = list(islice(walk, MAX_OUTER))
    inner: deque[tuple[FrameType, int]] = deque(maxlen=MAX_INNER)
    rest = 0
    for rest, each in enumerate(walk, 1):  # noqa: B007 - counted on the way
        inner.append(each)
    return tuple(_frame(*each) for each in (*outer, *inner)), rest - len(inner)


def _frame(frame: FrameType, line: int) -> Frame:
    return Frame(frame.f_code, line, str(frame.f_globals.get("__name__", "")))
