"""Parse the output of a shell script that was run with `set -x`, and the calls that Bash's `caller` prints.

A message such as `nightly.sh: line 8: backup: command not found` alone is no trace: it says what went wrong and where.
Below the commands that `set -x` prints, the same message is the error, and the commands are only its history.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded, first_run

NAME = "Bash"
MARKERS: tuple[str, ...] = ()
LINES = (r"\++ ", r"\d\d*+ [A-Za-z_]\w*+ \S+\.(?:sh|bash)$")

_ERROR = re.compile(
    r"(?P<file>(?:/[^\s:]{1,300}|[^\s:/]{1,100}\.(?:sh|bash|ksh)|(?:-?(?:ba|da|k|z)?sh))): "
    r"(?:line |Zeile |ligne )?\d+: (?P<message>\S.*)$"
)
_COMMAND = re.compile(r"\++ (?P<command>\S.*)$")
_PS4 = re.compile(r"(?P<file>[^\s:]{1,300}):\d+:(?P<function>\w[\w:.-]{0,100})?(?:\(\))?:? ")
_CALLER = re.compile(r"\s*\d+ (?P<function>[A-Za-z_][\w:.-]{0,100}) (?P<file>[^\s:]{1,300}\.(?:sh|bash))$")
_LEAST = 2
"""Commands or calls: fewer are no trace, because a line of a list or of a patch can also begin with a plus sign."""


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. `caller` prints the innermost call first."""
    return _executed(lines) or _calls(lines)


def _executed(lines: Sequence[str]) -> Trace | None:
    """Return the last error of the shell below commands of `set -x`."""
    first = last = -1
    commands = 0
    functions: dict[str, str] = {}
    error: re.Match[str] | None = None
    for number, line in enumerate(lines):
        if line.startswith("+") and (match := _COMMAND.match(line[:MAX_LINE])):
            first = number if first < 0 else first
            commands += 1
            if place := _PS4.match(match["command"]):
                functions[place["file"]] = place["function"] or ""
        elif commands >= _LEAST and ": " in line and (match := _ERROR.match(line[:MAX_LINE])):
            error, last = match, number
    if error is None:
        return None
    function = functions.get(error["file"], "")
    frame = Frame(app_file(error["file"]), "" if function == "main" else function, Origin.APP)
    return Trace(language=NAME, errors=(Error("", error["message"], (frame,)),), start=first, end=last + 1)


def _calls(lines: Sequence[str]) -> Trace | None:
    run = first_run(lines, _frame)
    if run is None or len(run.frames) < _LEAST:
        return None
    message = lines[run.start - 1][:MAX_LINE].strip() if run.start else ""
    error = Error(type="", message=message, frames=tuple(reversed(run.frames)))
    return Trace(language=NAME, errors=(error,), start=run.start - bool(message), end=run.end)


def _frame(line: str) -> Frame | None:
    match = _CALLER.match(line)
    return Frame(app_file(match["file"]), match["function"], Origin.APP) if match else None
