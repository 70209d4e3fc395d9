"""Parse error records of PowerShell: with CategoryInfo (up to 5.1), ConciseView (7), and `ScriptStackTrace`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, Run, bounded, first_run, head_above, trace_of

NAME = "PowerShell"
MARKERS: tuple[str, ...] = ()
LINES = (r"\+ CategoryInfo", r"Line \|", r"[abeiàв在]\w*+ <ScriptBlock>, ")

_CATEGORY = re.compile(r"\s*\+ CategoryInfo\s*: (?P<rest>.*)$")
_EXCEPTION = re.compile(r".*\[(?P<command>[^\[\]]*)\], (?P<type>[\w.]+)\s*$")
_ID = re.compile(r"\s*\+ FullyQualifiedErrorId\s*: (?P<id>[^,]*)")
_PLACE = re.compile(
    r"(?:At|In|Au caract.re|En|In corrispondenza di|No|\u0412|\u0412 строке|所在位置|場所|발생 위치) ?"
    r"(?:(?P<file>(?:[A-Za-z]:|\\|/).{0,300}?\.psm?1) ?:|[^\d:]{1,20}:) ?\d+ .{1,20}\d+\s*$"
)
"""`At C:\\jobs\\nightly.ps1:14 char:17`. The words are those of Windows, so only the path is read."""
_COMMAND = re.compile(r"(?P<command>(?:[A-Z]\w*-\w+|[^\s:]{1,200}\.ps1)) : (?P<message>.*)$")
_STACK = re.compile(
    r"\s*(?:at|bei|à|en|in|em|в|在) (?P<function>[^,(]{1,200}), (?P<file><[^>]{1,100}>|(?:[A-Za-z]:)?[^:]{1,300}): "
    r"\w{1,20} \d+\s*$"
)
_CONCISE = re.compile(r"(?P<command>[\w.-]{1,100}): (?P<file>(?:[A-Za-z]:)?[^:]{1,300}\.psm?1):\d+\s*$")
_CONCISE_LINE = re.compile(r"\s*(?:\d+)?\s*\| ?(?P<text>.*)$")
_CUT = re.compile(r" \| ?")
_MAX_CONCISE = 20


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first error record in `lines`; see `Language.read`."""
    for number, line in enumerate(lines):
        if "CategoryInfo" in line and _CATEGORY.match(line):
            return _record(lines, number)
        if line.rstrip() == "Line |" and number and (match := _CONCISE.match(lines[number - 1][:MAX_LINE])):
            return _concise(lines, number, match)
        if "<ScriptBlock>, " in line and _STACK.match(line[:MAX_LINE]):
            return _stack(lines, number)
    return None


def _record(lines: Sequence[str], number: int) -> Trace | None:
    """Parse the long form. Long lines are wrapped, so the exception can be on the line below the label."""
    below = lines[number + 1] if number + 1 < len(lines) else ""
    category = lines[number][:MAX_LINE].strip()
    if not _ID.match(below):
        category += " " + below[:MAX_LINE].strip()
    match = _EXCEPTION.match(category)
    place = head_above(lines, number, _PLACE)
    top = place[0] if place else number
    start = _message_begins(lines, top)
    named = _COMMAND.match(lines[start][:MAX_LINE])
    text = " ".join(line[:MAX_LINE].strip() for line in lines[start:top])
    message = text[text.find(" : ") + 3 :] if named else text
    command = (match["command"] if match else "") or (named["command"] if named else "")
    file = app_file(place[1]["file"]) if place and place[1]["file"] else ""
    frames: tuple[Frame, ...] = (Frame(file, command, Origin.APP),)
    end = number + 1
    while end < len(lines) and end < number + 4 and lines[end].strip():
        end += 1
    if (run := first_run(lines[: end + 60], _frame, begin=end)) and run.start <= end + 2:
        frames, end = run.frames, run.end
    return trace_of(NAME, match["type"] if match else "", message, Run(frames, start, end))


def _message_begins(lines: Sequence[str], top: int) -> int:
    """Return the first line of the message: its paragraph above line `top`, of at most five lines."""
    start = top
    while start > 0 and top - start < 5 and lines[start - 1].strip():
        start -= 1
        if _COMMAND.match(lines[start][:MAX_LINE]):
            break
    return start


def _concise(lines: Sequence[str], number: int, head: re.Match[str]) -> Trace | None:
    end, message = number + 1, ""
    while end < min(len(lines), number + _MAX_CONCISE) and (match := _CONCISE_LINE.match(lines[end][:MAX_LINE])):
        message = match["text"]
        end += 1
    frame = Frame(app_file(head["file"]), head["command"], Origin.APP)
    return trace_of(NAME, "", message.strip(), Run((frame,), number - 1, end))


def _stack(lines: Sequence[str], number: int) -> Trace | None:
    first = number
    while first > 0 and _STACK.match(lines[first - 1][:MAX_LINE]):
        first -= 1
    run = first_run(lines, _frame, begin=first)
    if run is None:
        return None
    message = lines[first - 1][:MAX_LINE].strip() if first else ""
    return trace_of(NAME, "", message, run, first - 1 if message else first)


def _frame(line: str) -> Frame | None:
    match = _STACK.match(line)
    return Frame(app_file(match["file"]), match["function"].strip(), Origin.APP) if match else None
