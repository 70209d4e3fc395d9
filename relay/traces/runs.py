"""Find the frames of a trace: lines of one form that follow each other, and the line above them that names the error.

Used by the readers of languages that print one frame on each line. Guarantee: takes time linear in the text if the
patterns do, because of each line only the first `MAX_LINE` characters are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import NamedTuple

from relay.traces.frames import CUT_MARKER_PREFIX, Error, Frame, Trace, with_text_offsets

MAX_LINE = 2_000
"""Characters of a line that are read. A limit, because some patterns try several ends of a function's name."""
MAX_LINES = 20_000
"""Lines of a text that are read: those of 1 MB with usual lines. A million empty lines take long."""
HEAD_WITHIN = 12
"""Maximum number of lines from the name of the error to its first frame."""


def bounded(read: Callable[[Sequence[str]], Trace | None]) -> Callable[[str], Trace | None]:
    """Turn a parser of lines into a parser of a text, like `frames.line_based`, that reads the first `MAX_LINES`."""

    @wraps(read)
    def read_text(text: str) -> Trace | None:
        lines = text.split("\n", MAX_LINES)[:MAX_LINES]
        trace = read(lines)
        return trace and with_text_offsets(trace, lines)

    return read_text


class Run(NamedTuple):
    """Frames in the order in which they are printed: those of the lines from `start` up to `end`, without it."""

    frames: tuple[Frame, ...]
    start: int
    end: int


def first_run(
    lines: Sequence[str],
    frame_of: Callable[[str], Frame | None],
    *,
    begin: int = 0,
    between: re.Pattern[str] | None = None,
    gap: int = 0,
) -> Run | None:
    """Return the first frames from line `begin` on, or None. `frame_of` returns None for a line that is no frame.

    Lines that `between` matches do not end the frames, nor does the line that replaces the middle of a large mail, nor
    up to `gap` other lines between two frames.
    """
    frames: list[Frame] = []
    start = end = -1
    for number in range(begin, len(lines)):
        line = lines[number][:MAX_LINE]
        if frame := frame_of(line):
            frames.append(frame)
            start = number if start < 0 else start
            end = number + 1
        elif start < 0 or line.startswith(CUT_MARKER_PREFIX) or (between and between.match(line)):
            continue
        elif number - end >= gap:
            break
    return Run(tuple(frames), start, end) if frames else None


def head_above(
    lines: Sequence[str], number: int, pattern: re.Pattern[str], within: int = HEAD_WITHIN, least: int = 0
) -> tuple[int, re.Match[str]] | None:
    """Return the line nearest above line `number` that `pattern` matches, and its match. Not above line `least`."""
    for at in range(number - 1, max(least, number - within) - 1, -1):
        if match := pattern.match(lines[at][:MAX_LINE]):
            return at, match
    return None


def trace_of(language: str, type_: str, message: str, run: Run, start: int | None = None) -> Trace:
    """Return the trace of one error whose innermost frame is printed first. Its lines begin at `start`."""
    error = Error(type=type_, message=message.strip(), frames=tuple(reversed(run.frames)))
    return Trace(language=language, errors=(error,), start=run.start if start is None else start, end=run.end)
