"""Parse backtraces of Ruby, as printed by the interpreter (1.9 to 3.4), by Rails and by its exception mailers.

Supported: causes, blocks and rescues (they get the name of their method), gems, compiled views.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import CUT_MARKER_PREFIX, Error, Frame, Origin, Trace, line_based
from relay.traces.paths import app_file

NAME = "Ruby"
MARKERS: tuple[str, ...] = (":in `", ":in '")
LINES = ()

_FRAME = re.compile(
    r"\s*(?:from )?(?:(?P<gem>[\w-]+) \([\d.]+\) )?(?P<path>(?:[A-Za-z]:)?[^\s:][^:]*):\d+"
    r":in [`'](?P<function>[^']*)'(?P<rest>: .*)?$"
)
_VIEW = re.compile(
    r"\s*(?P<gem>)(?P<path>[\w./-]{1,400}\.(?:erb|haml|slim|jbuilder|builder|rhtml)):\d+(?P<function>)(?P<rest>)$"
)
"""For a view, Rails prints only the file, without a method."""
_RAISED = re.compile(r": (?P<message>.*?)(?: \((?P<type>[A-Z]\w*(?:::\w+)*)\))?$")
_HEAD = re.compile(r"\s*(?P<type>[A-Z]\w*(?:::\w+)*)(?: \((?P<quoted>.*?)(?:\):?)?|: (?P<message>.*))$")
_OCCURRED = re.compile(r"An? (?P<type>[A-Z]\w*(?:::\w+)*) occurred in (?P<action>[\w/]+#\w+):$")
"""ExceptionNotifier prints the message in the next paragraph."""
_BLOCK_OF = re.compile(r"^(?:(?:block|rescue|ensure)(?: \(\d+ levels\))? in )+")
_VIEW_NUMBERS = re.compile(r"_{2,}\d+_\d+$")
"""The numbers at the end of the method name of a compiled view change with each start."""
_OWNER = re.compile(r"^[A-Z]\w*(?:::\w+)*[#.]")
"""Ruby 3.4 prints the class before the method."""
_HEAD_WITHIN = 8
"""Maximum number of lines from the message to its first frame: since 3.1 Ruby prints the source line between them."""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first backtrace in `lines`; see `Language.read`. Ruby prints the innermost frame first."""
    errors: list[Error] = []
    frames: list[Frame] = []
    type_ = message = ""
    start = end = -1
    head: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        match = _FRAME.match(line) if ":in " in line else _VIEW.match(line)
        if match is None:
            # Above the frames, the line may name the error. Below them, any other line ends the trace.
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
    function = _OWNER.sub("", _BLOCK_OF.sub("", match["function"]))
    return Frame(app_file(path), _VIEW_NUMBERS.sub("", function), Origin.LIBRARY if library else Origin.APP)
