"""Ruby's backtraces: what the interpreter prints (1.9 to 3.4) and what Rails and its mailers do.

Understood: causes, blocks and rescues (named after the method they are in), gems, compiled views.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import CUT_MARKER_PREFIX, Error, Frame, Origin, Trace, line_based
from relay.traces.paths import app_file

NAME = "Ruby"
MARKERS = (":in `", ":in '")

_FRAME = re.compile(
    r"\s*(?:from )?(?:(?P<gem>[\w-]+) \([\d.]+\) )?(?P<path>(?:[A-Za-z]:)?[^\s:][^:]*):\d+"
    r":in [`'](?P<function>[^']*)'(?P<rest>: .*)?$"
)
_VIEW = re.compile(
    r"\s*(?P<gem>)(?P<path>[\w./-]{1,400}\.(?:erb|haml|slim|jbuilder|builder|rhtml)):\d+(?P<function>)(?P<rest>)$"
)
"""Of a view Rails prints the file alone."""
_RAISED = re.compile(r": (?P<message>.*?)(?: \((?P<type>[A-Z]\w*(?:::\w+)*)\))?$")
_HEAD = re.compile(r"\s*(?P<type>[A-Z]\w*(?:::\w+)*)(?: \((?P<quoted>.*?)(?:\):?)?|: (?P<message>.*))$")
_OCCURRED = re.compile(r"An? (?P<type>[A-Z]\w*(?:::\w+)*) occurred in (?P<action>[\w/]+#\w+):$")
"""ExceptionNotifier: the message stands in the next paragraph."""
_INSIDE = re.compile(r"^(?:(?:block|rescue|ensure)(?: \(\d+ levels\))? in )+")
_COMPILED = re.compile(r"_{2,}\d+_\d+$")
"""The numbers at the end of a compiled view's method change with each start."""
_OWNER = re.compile(r"^[A-Z]\w*(?:::\w+)*[#.]")
"""Ruby 3.4 puts the class in front of the method."""
_HEAD_WITHIN = 8
"""Since 3.1 Ruby shows the line of code below the message."""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """The first backtrace in `lines`; see `Language.read`. Each begins with the frame that raised."""
    errors: list[Error] = []
    frames: list[Frame] = []
    type_ = message = ""
    start = end = -1
    head: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        match = _FRAME.match(line) if ":in " in line else _VIEW.match(line)
        if match is None:
            if not frames and (named := _HEAD.match(line)):
                head = (number, named["type"], named["quoted"] or named["message"] or "")
            elif not frames and (named := _OCCURRED.match(line)):
                below = next((each.strip() for each in lines[number + 1 : number + 4] if each.strip()), "")
                head = (number, named["type"], below)
            elif frames and line.strip() and not line.startswith(CUT_MARKER_PREFIX):
                break
            continue
        if match["rest"] and (raised := _RAISED.match(match["rest"])):
            if frames:
                errors.append(Error(type=type_, message=message, frames=tuple(reversed(frames))))
            frames, type_, message = [], raised["type"] or "", raised["message"]
        elif not frames and not errors and head and number - head[0] <= _HEAD_WITHIN:
            start, type_, message = head
        start = number if start < 0 else start
        frames.append(_frame(match))
        end = number + 1
    if not frames:
        return None
    errors.append(Error(type=type_, message=message, frames=tuple(reversed(frames))))
    return Trace(language=NAME, errors=tuple(reversed(errors)), start=start, end=end)


def _frame(match: re.Match[str]) -> Frame:
    path = match["path"]
    library = bool(match["gem"]) or "/gems/" in path or "/lib/ruby/" in path or path.startswith("<internal:")
    function = _OWNER.sub("", _INSIDE.sub("", match["function"]))
    return Frame(app_file(path), _COMPILED.sub("", function), Origin.LIBRARY if library else Origin.APP)
