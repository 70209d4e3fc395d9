"""Parse stack traces of Julia (0.7 to 1.x): the module and file of a frame stand behind it or on the next line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded, head_above

NAME = "Julia"
MARKERS: tuple[str, ...] = ()
LINES = (r"Stacktrace:",)

_HEADING = re.compile(r"\s*Stacktrace:\s*$")
_FRAME = re.compile(r"\s*\[\d+\]\s+(?P<function>[^\s(\[]\S*?|\(::.{1,200}?\))(?:[({ ].*)?$")
_PLACE = re.compile(r"(?:.*\s)?(?:@ (?P<module>[\w.]+) ?|@ |at )(?P<file>\S{1,300}?):\d+(?: \[.*\])?$")
_HEAD = re.compile(
    r"(?:.{0,100}?\s)??(?:ERROR:|caused by:|Error:|nested task error:) (?:LoadError: |TaskFailedException)?"
    r"(?P<type>[A-Z]\w*(?:Error|Exception))?(?:: )?(?P<message>.*)$"
)
_CLOSURE = re.compile(r"\(::(?:var\")?.*|#[\w#]*\"?")
_PACKAGE = re.compile(r".*[\\/]packages[\\/](?P<package>\w+)[\\/]")
_MAX_FRAMES = 500


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. Julia prints the reported error first."""
    errors: list[Error] = []
    number = start = end = 0
    while number < len(lines):
        if not _HEADING.match(lines[number][:MAX_LINE]):
            number += 1
            continue
        frames, below = _frames(lines, number + 1)
        if frames:
            found = head_above(lines, number, _HEAD, least=end)
            type_, message = (found[1]["type"] or "", found[1]["message"]) if found else ("", "")
            start = start if errors else (found[0] if found else number)
            errors.append(Error(type=type_, message=message, frames=tuple(reversed(frames))))
            end = below
        number = max(below, number + 1)
        if not frames or len(errors) >= 20 or not any("caused by:" in line for line in lines[end : end + 4]):
            break
    return Trace(language=NAME, errors=tuple(reversed(errors)), start=start, end=end) if errors else None


def _frames(lines: Sequence[str], number: int) -> tuple[list[Frame], int]:
    """Return the frames from line `number` on and the number of the line after them."""
    frames: list[Frame] = []
    placed = False
    while number < len(lines) and len(frames) < _MAX_FRAMES and (match := _FRAME.match(lines[number][:MAX_LINE])):
        place = _PLACE.match(lines[number][:MAX_LINE])
        number += 1
        if place is None and number < len(lines) and (place := _PLACE.match(lines[number][:MAX_LINE])):
            number += 1
        frames.append(_frame(match["function"], place))
        placed = placed or place is not None
    return frames if placed else [], number


def _frame(function: str, place: re.Match[str] | None) -> Frame:
    name = _CLOSURE.sub("", function) or "closure"
    if place is None:
        return Frame("", name, Origin.LIBRARY)
    file = place["file"]
    if installed := _PACKAGE.match(file):
        return Frame(app_file(file), name, Origin.INSTALLED, installed["package"])
    library = file.startswith("./") or "/stdlib/" in file or "\\stdlib\\" in file or name == "top-level"
    return Frame(app_file(file), name, Origin.LIBRARY if library else Origin.APP)
