"""Parse stack traces of Perl, as Carp prints them (confess, cluck, longmess).

A message with its place alone (`… at cart.pl line 7.`) is no trace: it says what went wrong and where.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, Run, bounded, head_above, trace_of

NAME = "Perl"
MARKERS: tuple[str, ...] = ()
LINES = (INDENTED + r"(?:eval |require |[A-Za-z_][\w:']*+(?=\())",)

_FRAME = re.compile(
    r"\s+(?P<function>[A-Za-z_][\w:']*|eval \{\.\.\.\}|eval '.{0,200}|require \S+)(?:\(.*\))? called at (?P<file>\S.*?)"
    r" line \d+(?:, <\S+> (?:line|chunk) \d+)?\.?$"
)
_DIED = re.compile(r"(?P<message>\S.*) at (?P<file>\S{1,300}) line \d+(?:, <\S+> (?:line|chunk) \d+)?\.?$")
_LIBRARY_PATHS = ("/perl5/", "/perl/", "/perl-base/", "/share/perl", "/site_perl/", "/vendor_perl/", "/strawberry/")
_MAX_FRAMES = 500


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. Perl prints the innermost call first."""
    number = 0
    while number < len(lines) and not _match(lines[number]):
        number += 1
    if number == len(lines):
        return None
    start, message, path = _head(lines, number)
    frames: list[Frame] = []
    while number < len(lines) and len(frames) < _MAX_FRAMES and (match := _match(lines[number])):
        # Perl prints with each function the place of its call. The function itself stands in the file printed above.
        if path and not match["function"].startswith(("eval ", "require ")):
            frames.append(_frame(path, match["function"]))
        path = match["file"]
        number += 1
    frames.append(_frame(path, ""))
    return trace_of(NAME, "", message, Run(tuple(frames), start, number))


def _match(line: str) -> re.Match[str] | None:
    return _FRAME.match(line[:MAX_LINE]) if " called at " in line[:MAX_LINE] else None


def _head(lines: Sequence[str], number: int) -> tuple[int, str, str]:
    """Return the line where the message begins, the message, and the file in which Perl died."""
    if found := head_above(lines, number, _DIED, within=4):
        return found[0], found[1]["message"], found[1]["file"]
    return number, "", ""


def _frame(path: str, function: str) -> Frame:
    name = function.removeprefix("main::").replace("__ANON__", "anonymous")
    library = any(part in path for part in _LIBRARY_PATHS)
    return Frame(app_file(path), name, Origin.LIBRARY if library else Origin.APP)
