"""Parse backtraces of Crystal: `from src/cart.cr:7:7 in 'total'`, with causes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Error, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded

NAME = "Crystal"
MARKERS: tuple[str, ...] = ()
LINES = (INDENTED + r"from ",)

_FRAME = re.compile(
    r"  from (?:(?P<file>[./]\S{0,300}?|\S{1,300}\.e?cr)(?P<place>:\d+(?::\d+)?)? in '(?P<function>[^']{1,300})'"
    r"|(?P<unknown>\?\?\?))$"
)
_HEAD = re.compile(
    r"(?:.{0,200}?\s)??(?P<how>Unhandled exception(?: in \w+)?|Caused by|Invalid memory access)[:( ]+"
    r"(?P<message>.*?)(?: \((?P<type>[A-Z]\w*(?:::\w+)*)\))?$"
)
_NAMED = re.compile(r"(?P<message>.*) \((?P<type>[A-Z]\w*(?:::\w+)*)\)$")
_LIBRARY_PATHS = ("/crystal/", "/lib/", "lib/", "/usr/")


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first backtrace in `lines`; see `Language.read`. The reported exception and innermost frame first."""
    errors: list[Error] = []
    frames: list[Frame] = []
    type_ = message = ""
    start = end = -1
    for number, full in enumerate(lines):
        line = full[:MAX_LINE]
        if match := _FRAME.match(line) if line.startswith("  from ") else None:
            if start < 0:
                start = number
                head = _HEAD.match(lines[number - 1][:MAX_LINE]) if number else None
                named = head or (_NAMED.match(lines[number - 1][:MAX_LINE]) if number else None)
                if named:
                    start, type_, message = number - 1, named["type"] or "", named["message"]
            if not match["unknown"]:
                frames.append(_frame(match))
            end = number + 1
        elif frames:
            errors.append(Error(type=type_, message=message, frames=tuple(reversed(frames))))
            frames = []
            cause = _HEAD.match(line) if number == end else None
            if cause is None:
                break
            type_, message = cause["type"] or "", cause["message"]
    if frames:
        errors.append(Error(type=type_, message=message, frames=tuple(reversed(frames))))
    if not errors:
        return None
    return Trace(language=NAME, errors=tuple(reversed(errors)), start=start, end=end)


def _frame(match: re.Match[str]) -> Frame:
    file, function = match["file"], match["function"]
    library = not match["place"] or file.startswith(("/usr/", "lib/")) or any(part in file for part in _LIBRARY_PATHS)
    return Frame(app_file(file), function, Origin.LIBRARY if library or function == "__crystal_main" else Origin.APP)
