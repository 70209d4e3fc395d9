"""A traceback taken where the error was logged, and written out later by the thread that sends.

Writing one out reads the source files and parses their lines: ten times the cost of all else that a report takes, and
disk access in the midst of a request. `capture` only notes which code was where. Its guarantee: `Trace.text` is to the
letter what `logging.Formatter.formatException` says, and until then nothing of the request is held, neither frames nor
locals nor the exceptions.
"""

import linecache
import sys
import uuid
from collections.abc import Iterator
from copy import copy
from itertools import islice
from traceback import FrameSummary, StackSummary, TracebackException
from types import CodeType, TracebackType
from typing import NamedTuple

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
LATER = f"[traceback {uuid.uuid4().hex}]"
"""What stands in a record's text for a traceback that is still to be written; nobody outside can know it."""

_FRAME = 250  # bytes of memory that a noted frame takes, or else its lines of text
_LINK = 2000  # bytes that an exception takes
_TRIES = 3
"""Tries to write a traceback out, before the bare facts have to do: an exception or a source may be too odd."""


class _Frame(NamedTuple):
    code: CodeType
    instruction: int
    line: int


class Trace:
    """The exception and those that it came from or holds."""

    def __init__(self, name: str, links: "_Links") -> None:
        self._name = name
        self._links: _Links | None = links
        self._text = ""
        self.weight = sum(_LINK + sys.getsizeof(str(link)) + _FRAME * len(frames) for link, frames in links)
        """Roughly the bytes of memory that it takes."""

    @property
    def is_written(self) -> bool:
        """True when `text` costs nothing any more."""
        return self._links is None

    def text(self) -> str:
        """The traceback written out, without a newline at its end; the same each time, also for two threads at once."""
        links = self._links
        if links is not None:
            self._text = _written(self._name, links).removesuffix("\n")
            self._links = None
        return self._text


_Links = list[tuple[TracebackException, tuple[_Frame, ...]]]
"""Each exception with the frames of its traceback, the one that was logged first; as the standard library has it, but
without the frames."""


def capture(exc_info: ExcInfo) -> Trace | None:
    """None for what has to be written out at once, because it may be another thing later."""
    _, error, traceback = exc_info
    # Without frames: the standard library would look their files up on disk.
    logged = TracebackException(type(error), error, traceback, limit=0, lookup_lines=False, compact=True)
    links = [(logged, _frames(traceback))]
    todo = [(logged, error)]
    for link, exception in todo:
        if not _freeze_notes(link):
            return None
        for summary, further in _next(link, exception):
            links.append((summary, _frames(further.__traceback__)))
            todo.append((summary, further))
    return None if hasattr(sys, "tracebacklimit") else Trace(type(error).__qualname__, links)


def _next(link: TracebackException, exception: BaseException) -> Iterator[tuple[TracebackException, BaseException]]:
    """Those one step further, as far as the standard library went: it knows rings, and what is not to be shown."""
    for summary, error in ((link.__cause__, exception.__cause__), (link.__context__, exception.__context__)):
        if summary is not None and error is not None:
            yield summary, error
    if link.exceptions and isinstance(exception, BaseExceptionGroup):
        yield from zip(link.exceptions, exception.exceptions, strict=False)


def _freeze_notes(link: TracebackException) -> bool:
    """Notes are the app's own list; False when that holds more than text."""
    notes: object = link.__notes__  # whatever the app has put there
    if notes is None:
        return True
    if type(notes) is not list or any(type(note) is not str for note in notes):
        return False
    link.__notes__ = list(notes)
    return True


def _frames(traceback: TracebackType | None) -> tuple[_Frame, ...]:
    frames = []
    while traceback is not None:
        frame = traceback.tb_frame
        linecache.lazycache(frame.f_code.co_filename, frame.f_globals)  # a source that its module's loader alone has
        frames.append(_Frame(frame.f_code, traceback.tb_lasti, traceback.tb_lineno))
        traceback = traceback.tb_next
    return tuple(frames)


def _summary(frame: _Frame) -> FrameSummary:
    code, instruction, line = frame
    positions = islice(code.co_positions(), instruction // 2, None) if instruction >= 0 else iter(())
    start, end, column, end_column = next(positions, (None, None, None, None))
    return FrameSummary(
        code.co_filename,
        line if start is None else start,
        code.co_name,
        lookup_line=False,
        end_lineno=end,
        colno=column,
        end_colno=end_column,
    )


def _written(name: str, links: _Links) -> str:
    for filename in {frame.code.co_filename for _, frames in links for frame in frames}:
        linecache.checkcache(filename)
    logged = _with_stacks(links)
    for _ in range(_TRIES):
        try:
            return "".join(logged.format())
        except Exception:  # noqa: BLE001, S112 - `linecache` loses a race with a thread that reads the same file anew
            continue
    lines = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n' for frame in logged.stack]
    return "".join(["Traceback (most recent call last):\n", *lines, f"{name}: {logged}\n"])


def _with_stacks(links: _Links) -> TracebackException:
    """The exception that was logged, with its stacks: a copy, since another thread may write the same one out."""
    copies = {id(link): copy(link) for link, _ in links}
    for link, frames in links:
        mine = copies[id(link)]
        mine.stack = StackSummary()
        mine.stack.extend(map(_summary, frames))
        mine.__cause__ = copies.get(id(link.__cause__), link.__cause__)
        mine.__context__ = copies.get(id(link.__context__), link.__context__)
        mine.exceptions = link.exceptions and [copies.get(id(each), each) for each in link.exceptions]
    return copies[id(links[0][0])]
