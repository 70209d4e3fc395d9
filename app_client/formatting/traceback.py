"""Deferred formatting of a traceback: captured where the error is logged, formatted later by the sending thread.

Formatting a traceback reads source files and parses their lines. That costs ten times as much as the rest of a report,
and accesses the disk during a request. `capture` only records code objects and positions. Guarantees: `Trace.text`
equals the result of `logging.Formatter.formatException` exactly; until then nothing of the request is referenced:
neither frames nor locals nor exceptions.
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
TRACE_PLACEHOLDER = f"[traceback {uuid.uuid4().hex}]"
"""Placeholder in a record's text for a traceback that is not formatted yet; random, so that no text can contain it."""

_FRAME = 250  # bytes of memory of a captured frame, or of its lines of text
_LINK = 2000  # bytes of memory of an exception
_TRIES = 3
"""Attempts to format a traceback before a minimal one is used: an exception or a source file may be malformed."""


class _Frame(NamedTuple):
    code: CodeType
    instruction: int
    line: int


class Trace:
    """A captured traceback: the exception, its causes and contexts, and the members of groups."""

    def __init__(self, name: str, links: "_Links") -> None:
        self._name = name
        self._links: _Links | None = links
        self._text = ""
        self.weight = sum(_LINK + sys.getsizeof(str(link)) + _FRAME * len(frames) for link, frames in links)
        """Approximate size in memory, in bytes."""

    @property
    def is_formatted(self) -> bool:
        """True after the first call of `text`, which does the work."""
        return self._links is None

    def text(self) -> str:
        """Return the formatted traceback without a final newline. Thread-safe; every call returns the same text."""
        links = self._links
        if links is not None:
            self._text = _formatted(self._name, links).removesuffix("\n")
            self._links = None
        return self._text


_Links = list[tuple[TracebackException, tuple[_Frame, ...]]]
"""Each exception as the standard library summarises it, without its stack, and the captured frames of its traceback.

The logged exception comes first."""


def capture(exc_info: ExcInfo) -> Trace | None:
    """Capture the traceback; None if it must be formatted at once, because its text could change until later."""
    _, error, traceback = exc_info
    # limit=0, without frames: for frames the standard library would access their files.
    logged = TracebackException(type(error), error, traceback, limit=0, lookup_lines=False, compact=True)
    links = [(logged, _frames(traceback))]
    todo = [(logged, error)]
    for link, exception in todo:
        if not _copy_notes(link):
            return None
        for summary, further in _linked(link, exception):
            links.append((summary, _frames(further.__traceback__)))
            todo.append((summary, further))
    return None if hasattr(sys, "tracebacklimit") else Trace(type(error).__qualname__, links)


def _linked(link: TracebackException, exception: BaseException) -> Iterator[tuple[TracebackException, BaseException]]:
    """Yield the exceptions linked to this one that the standard library shows; it handles cycles and suppression."""
    for summary, error in ((link.__cause__, exception.__cause__), (link.__context__, exception.__context__)):
        if summary is not None and error is not None:
            yield summary, error
    if link.exceptions and isinstance(exception, BaseExceptionGroup):
        yield from zip(link.exceptions, exception.exceptions, strict=False)


def _copy_notes(link: TracebackException) -> bool:
    """Copy the notes, because their list belongs to the app; False if they are not all texts."""
    notes: object = link.__notes__  # the app may have assigned any object
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
        linecache.lazycache(frame.f_code.co_filename, frame.f_globals)  # for a source that only the loader can read
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


def _formatted(name: str, links: _Links) -> str:
    for filename in {frame.code.co_filename for _, frames in links for frame in frames}:
        linecache.checkcache(filename)
    logged = _with_stacks(links)
    for _ in range(_TRIES):
        try:
            return "".join(logged.format())
        except Exception:  # noqa: BLE001, S112 - `linecache` fails while another thread reloads the same file
            continue
    lines = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n' for frame in logged.stack]
    return "".join(["Traceback (most recent call last):\n", *lines, f"{name}: {logged}\n"])


def _with_stacks(links: _Links) -> TracebackException:
    """Return a copy of the logged exception with its stacks: another thread may format the same one at this time."""
    copies = {id(link): copy(link) for link, _ in links}
    for link, frames in links:
        mine = copies[id(link)]
        mine.stack = StackSummary()
        mine.stack.extend(map(_summary, frames))
        mine.__cause__ = copies.get(id(link.__cause__), link.__cause__)
        mine.__context__ = copies.get(id(link.__context__), link.__context__)
        mine.exceptions = link.exceptions and [copies.get(id(each), each) for each in link.exceptions]
    return copies[id(links[0][0])]
