"""`Snapshot`: the data for the JSON part of a mail, taken in the thread that logged; `json_part` formats it later.

It holds what is gone after the request: facts of the request, texts of the exceptions, and the code on the stack. Of
arguments it holds only the types. Guarantees: it refers to texts, numbers and code only, never to frames or values of
the app. It is bounded, for any depth of the stack and any length of the chain.
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

from app_client.formatting.request import FactSource, facts_of

MAX_ERRORS = 8
MAX_OUTER, MAX_INNER = 10, 30
"""Frames of each exception: the outermost and the innermost ones."""
MAX_ARGUMENTS = 20
MAX_TEXT = 1001
"""Characters of a text: one more than is written, so that a truncated text is recognised."""
_MAX_CHAIN = 1000  # exceptions of a chain that are counted

_FRAME = 100  # bytes of memory of a frame


class Frame(NamedTuple):
    """One frame of a traceback."""

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
    """`cause` or `context` of the exception before; "" for the logged exception."""
    members: int
    """Number of exceptions in a group."""
    frames: tuple[Frame, ...]
    """The outermost and the innermost frames, at most `MAX_OUTER` and `MAX_INNER`."""
    left_out: int
    """Number of frames between these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The data of one record."""

    template: str
    """The message without its arguments; "" if it is not a text."""
    arguments: tuple[str, ...] | Mapping[str, str]
    """The types of the arguments; by name for named arguments."""
    failures: tuple[Failure, ...]
    """The logged exception, then its causes and contexts."""
    failures_left_out: int
    arguments_left_out: int
    location: str
    module: str
    function: str
    process: tuple[int, str]
    """Process id and name."""
    thread: str
    request: Mapping[str, str]

    @property
    def weight(self) -> int:
        """Approximate size in memory, in bytes."""
        frames = sum(len(each.frames) for each in self.failures)
        texts = [self.template, *self.request.values(), *(each.message for each in self.failures)]
        return 1024 + _FRAME * frames + 500 * len(self.failures) + sum(map(sys.getsizeof, texts))


def snapshot(record: logging.LogRecord, facts: FactSource | None) -> Snapshot | None:
    """Return the snapshot; None if a class of the app raises, so that the mail has no JSON part."""
    try:
        return _snapshot(record, facts)
    except Exception:  # noqa: BLE001 - an argument or an exception of the app may raise on any access
        return None


def _snapshot(record: logging.LogRecord, facts: FactSource | None) -> Snapshot:
    exception = record.exc_info[1] if record.exc_info else None
    request = facts_of(record, facts)
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
    """Return the qualified name of a type: `str`, `shop.cart.Item`."""
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
    """Yield link and exception, as a traceback shows the chain. A cycle is left at its first repeated exception."""
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
    """Return the text of an exception; of a SyntaxError without the location, as in a traceback."""
    text: Callable[[], object] = (lambda: error.msg) if isinstance(error, SyntaxError) else lambda: error
    try:
        return str(text())[:MAX_TEXT]
    except Exception:  # noqa: BLE001 - a class of the app may raise here
        return ""


def _frames(trace: TracebackType | None) -> tuple[tuple[Frame, ...], int]:
    """Return the frames at both ends of the traceback, and the number of frames between them."""
    walk = traceback.walk_tb(trace)
    outer = list(islice(walk, MAX_OUTER))
    inner: deque[tuple[FrameType, int]] = deque(maxlen=MAX_INNER)
    rest = 0
    for rest, each in enumerate(walk, 1):  # noqa: B007 - `rest` is used after the loop
        inner.append(each)
    return tuple(_frame(*each) for each in (*outer, *inner)), rest - len(inner)


def _frame(frame: FrameType, line: int) -> Frame:
    return Frame(frame.f_code, line, str(frame.f_globals.get("__name__", "")))
