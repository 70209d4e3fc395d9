"""Parse panics and error return traces of Zig."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import FIRST_WORD, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import bounded, first_run, head_above, trace_of

NAME = "Zig"
MARKERS: tuple[str, ...] = ()
LINES = (FIRST_WORD + r":(?<=\.zig:)",)

_FRAME = re.compile(
    r"(?P<file>\S[^:]{0,300}\.zig|[A-Za-z]:[^:]{1,300}\.zig|\?\?\?):[\d?]+:[\d?]+: 0x[0-9a-f]+ "
    r"in (?P<function>\S+) \(.*\)$"
)
_SOURCE = 2
"""Lines below a frame: the source line and the caret."""
_HEAD = re.compile(r"(?:.{0,200}?\s)??(?P<type>panic|error): (?P<message>.*)$")
_NUMBERED = re.compile(r"__(?:anon|struct)_\d+")


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. Zig prints the innermost frame first."""
    run = first_run(lines, _frame, gap=_SOURCE)
    if run is None:
        return None
    found = head_above(lines, run.start, _HEAD, within=4)
    if found is None:
        return trace_of(NAME, "", "", run)
    type_, message = found[1]["type"], found[1]["message"]
    if type_ == "error" and message.isidentifier():
        type_, message = f"error.{message}", ""  # as in the source: the name of an error of an error set
    return trace_of(NAME, type_, message, run, found[0])


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    if match is None:
        return None
    library = "/lib/std/" in match["file"] or "\\lib\\std\\" in match["file"] or match["file"] == "???"
    name = _NUMBERED.sub("", match["function"])
    return Frame(app_file(match["file"]), name, Origin.LIBRARY if library else Origin.APP)
