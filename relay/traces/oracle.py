"""Parse error stacks of Oracle: ORA-06512 names the PL/SQL units through which an error went (SQL*Plus, drivers, jobs).

An error without a unit is no trace: its code and its message say what went wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from relay.traces.frames import Error, Frame, Origin, Trace
from relay.traces.runs import MAX_LINE, bounded

NAME = "Oracle"
MARKERS: tuple[str, ...] = ()
LINES = (r"ORA-06512: ",)

_FRAME = re.compile(r"\s*ORA-06512: .{0,40}?\"(?P<unit>[^\"]{1,300})\", \S.{0,20}? \d+$")
_CALLED = re.compile(r"\s*ORA-06512: ")
_ERROR = re.compile(r"(?:.{0,300}?[\s:>\"'])??(?P<type>(?:ORA|PLS|TNS|DRG|RMAN)-\d{5}): (?P<message>.*)$")
_SCHEMAS = ("SYS.", "SYSTEM.", "XDB.", "MDSYS.", "CTXSYS.", "APEX_", "DBMS_", "UTL_", "WMSYS.")


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first error stack in `lines`; see `Language.read`. The error that was reported is printed first."""
    first = next((number for number, line in enumerate(lines) if _CALLED.match(line[:MAX_LINE])), -1)
    if first < 0:
        return None
    start = end = first
    while start > 0 and _ERROR.match(lines[start - 1][:MAX_LINE]):
        start -= 1
    while end < len(lines) and _ERROR.match(lines[end][:MAX_LINE]):
        end += 1
    errors = _errors(line[:MAX_LINE].rstrip() for line in lines[start:end])
    if not any(error.frames for error in errors):
        return None
    return Trace(language=NAME, errors=tuple(reversed(errors)), start=start, end=end)


def _errors(lines: Iterable[str]) -> list[Error]:
    """Return the errors of a stack: each line without a call begins one."""
    found: list[tuple[str, str, list[Frame]]] = []
    for line in lines:
        if not _CALLED.match(line):
            match = _ERROR.match(line)
            found.append((match["type"], match["message"], []) if match else ("", line, []))
        elif match := _FRAME.match(line):
            found = found or [("", "", [])]
            found[-1][2].append(_frame(match["unit"]))
    return [Error(type_, message, tuple(reversed(frames))) for type_, message, frames in found]


def _frame(unit: str) -> Frame:
    return Frame(unit.partition(".")[0], unit, Origin.LIBRARY if unit.startswith(_SCHEMAS) else Origin.APP)
