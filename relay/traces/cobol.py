"""Parse abends of z/OS (JES messages, Language Environment) and run-time errors of GnuCOBOL."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded

NAME = "COBOL"
MARKERS: tuple[str, ...] = ()
LINES = (r"IEF\d", r"\d\d\.\d\d\.\d\d ", r"From compile unit ", r"Last statement of ")

_ABEND = re.compile(
    r".{0,100}?\bIEF(?:450|142)I (?P<job>\S+)(?: (?P<proc>\S+))? (?P<step>\S+) - ABEND=(?P<system>S\w{3})"
    r"(?: (?P<user>U\d{4}))?"
)
_COMPLETION = re.compile(
    r".{0,100}?\bIEF472I (?P<job>\S+)(?: (?P<proc>\S+))? (?P<step>\S+) - COMPLETION CODE - SYSTEM=(?P<system>\w{3})"
    r" USER=(?P<user>\d{4})"
)
_CONDITION = re.compile(r".{0,100}?\b(?P<code>(?:CEE|IGZ|IBM)\d{4}[SEC]) (?P<message>\S.*)$")
_UNIT = re.compile(r"\s*From compile unit (?P<unit>\S+) at entry point (?P<entry>\S+)")
_GNU = re.compile(r"libcob: (?P<file>[^\s:]{1,300}):\d+: error: (?P<message>.*)$")
_LAST = re.compile(r"\s*Last statement of \"?(?P<program>[\w.-]+)\"? was ")
_NO_USER = "U0000"


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first abend in `lines`; see `Language.read`."""
    condition: tuple[int, re.Match[str]] | None = None
    unit: re.Match[str] | None = None
    for number, full in enumerate(lines):
        line = full[:MAX_LINE]
        if match := _ABEND.match(line) or _COMPLETION.match(line):
            return _abend(match, number, condition, unit)
        if match := _LAST.match(line):
            return _gnu(lines, number, match["program"])
        if unit is None and (match := _CONDITION.match(line)):
            condition = (number, match)
        elif condition and (match := _UNIT.match(line)):
            unit = match
    if condition is None or unit is None:
        return None
    at, match = condition
    error = Error(type=match["code"], message=match["message"], frames=_frames(unit))
    return Trace(language=NAME, errors=(error,), start=at, end=at + 2)


def _abend(
    match: re.Match[str], number: int, condition: tuple[int, re.Match[str]] | None, unit: re.Match[str] | None
) -> Trace:
    """Return the abend, with the condition that Language Environment printed above it, if any."""
    system = match["system"] if match["system"].startswith("S") else f"S{match['system']}"
    user = match["user"] or _NO_USER
    user = user if user.startswith("U") else f"U{user}"
    type_ = system if user == _NO_USER else f"{system} {user}"
    step = Frame(match["job"], ".".join(filter(None, (match["proc"], match["step"]))), Origin.APP)
    message = condition[1]["message"] if condition else ""
    error = Error(type=type_, message=message, frames=(step, *(_frames(unit) if unit else ())))
    return Trace(language=NAME, errors=(error,), start=condition[0] if condition else number, end=number + 1)


def _frames(unit: re.Match[str]) -> tuple[Frame, ...]:
    return (Frame(unit["unit"], unit["entry"], Origin.APP),)


def _gnu(lines: Sequence[str], number: int, program: str) -> Trace | None:
    """Return the run-time error of GnuCOBOL. It is printed near the dump that names the program."""
    for at in (*range(max(0, number - 20), number), *range(number + 1, min(len(lines), number + 200))):
        if match := _GNU.match(lines[at][:MAX_LINE]):
            frame = Frame(app_file(match["file"]), program, Origin.APP)
            error = Error(type="", message=match["message"], frames=(frame,))
            return Trace(language=NAME, errors=(error,), start=min(at, number), end=max(at, number) + 1)
    return None
