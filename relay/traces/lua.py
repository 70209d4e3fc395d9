"""Parse stack tracebacks of Lua (5.1 to 5.4), LuaJIT and OpenResty."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded, first_run, head_above, trace_of

NAME = "Lua"
MARKERS: tuple[str, ...] = ()
LINES = (r"stack traceback:",)

_HEADING = "stack traceback:"
_FRAME = re.compile(
    r"\s+(?P<file>\[C\]|\S[^:]{0,300}|[A-Za-z]:[^:]{0,300}):(?:\d+:)? (?:in (?P<function>.+?)|\?)(?:, client: .*)?\s*$"
)
_BETWEEN = re.compile(r"\s+\(?\.\.\.|coroutine \d+:$")
_HEAD = re.compile(
    r"(?:.{0,300}?[\s:])??(?P<file>(?:[A-Za-z]:)?[^\s:]{1,300}\.lua|\[string \"[^\"]{1,200}\"\]):\d+: (?P<message>.*)$"
)
_QUOTED = re.compile(r"[^'<]*['<](?P<name>[^'<>]+)['>]$")
_LINE = re.compile(r":\d+$")
_LIBRARY_PATHS = ("/usr/share/lua", "/usr/local/share/lua", "/usr/local/openresty/", "/lualib/", "/resty/")


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first traceback in `lines`; see `Language.read`. Lua prints the innermost frame first."""
    heading = next((number for number, line in enumerate(lines) if _HEADING in line), -1)
    run = first_run(lines[: heading + 200], _frame, begin=heading + 1, between=_BETWEEN) if heading >= 0 else None
    if run is None or run.start > heading + 2:
        return None
    if found := head_above(lines, heading, _HEAD, within=20):
        return trace_of(NAME, "", found[1]["message"], run, found[0])
    message = lines[heading - 1][:MAX_LINE] if heading else ""
    return trace_of(NAME, "", message, run, heading - 1 if message.strip() else heading)


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    if match is None:
        return None
    file, function = match["file"], match["function"] or "?"
    quoted = _QUOTED.match(function)
    name = quoted["name"] if quoted else function
    if "function <" in function:
        name = "<" + app_file(_LINE.sub("", name)) + ">"  # a function without a name, and the line where it begins
    elif quoted:
        name = re.split(r"[.:]", name)[-1]
    library = file == "[C]" or any(part in file for part in _LIBRARY_PATHS)
    return Frame(file if file == "[C]" else app_file(file), name, Origin.LIBRARY if library else Origin.APP)
