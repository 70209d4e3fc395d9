"""Parse call stacks of Haskell (GHC): `error` and other functions with `HasCallStack`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded, first_run, head_above, trace_of

NAME = "Haskell"
MARKERS: tuple[str, ...] = ()
LINES = (r"CallStack \(from ", r"HasCallStack backtrace:")

_HEADING = re.compile(r"\s*(?:CallStack \(from |HasCallStack backtrace:)")
_FRAME = re.compile(
    r"\s+(?P<function>\S+), called at (?P<file>\S+):\d+:\d+ in (?P<package>[\w.-]+):(?P<module>[\w.]+)\s*$"
)
_PROGRAM = re.compile(r"[\w./-]{1,100}: (?=\S)")
_TYPE = re.compile(r"Uncaught exception (?P<package>[\w.-]+):(?P<type>[\w.]+):$")
"""GHC 9.10 and later name the exception."""
_UNCAUGHT = re.compile(r"(?:.{0,200}?: )?Uncaught exception ")
_VERSION = re.compile(r"-\d[\d.]*(?:-\w+)?$")
_PACKAGES = """
base ghc-prim ghc-internal containers text bytestring vector unordered-containers transformers mtl lens aeson conduit
warp wai wai-extra servant-server yesod-core snap-core scotty async stm resourcet unliftio rio
"""
_LIBRARIES = frozenset(_PACKAGES.split())
_MESSAGE_WITHIN = 20


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first call stack in `lines`; see `Language.read`. GHC prints the innermost call first."""
    heading = next((number for number, line in enumerate(lines) if _HEADING.match(line[:MAX_LINE])), -1)
    run = first_run(lines[: heading + 200], _frame, begin=heading + 1) if heading >= 0 else None
    if run is None or run.start != heading + 1:
        return None
    start = _message_begins(lines, heading)
    type_, message = "", lines[start][:MAX_LINE].strip() if start < heading else ""
    message = _PROGRAM.sub("", message, count=1)
    if match := _TYPE.match(message):
        type_ = match["type"]
        message = next((line.strip() for line in lines[start + 1 : heading] if line.strip()), "")
    return trace_of(NAME, type_, message, run, start)


def _message_begins(lines: Sequence[str], heading: int) -> int:
    """Return the number of the line where the message begins: in the paragraph above the heading, or above it."""
    if found := head_above(lines, heading, _UNCAUGHT, within=_MESSAGE_WITHIN):
        return found[0]
    start = heading
    while start > 0 and heading - start < _MESSAGE_WITHIN and lines[start - 1].strip():
        start -= 1
        if _PROGRAM.match(lines[start]):
            break
    return start


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    if match is None:
        return None
    package = _VERSION.sub("", match["package"])
    if package == "main":
        return Frame(app_file(match["file"]), match["function"], Origin.APP)
    if package in _LIBRARIES:
        return Frame(match["module"], match["function"], Origin.LIBRARY)
    return Frame(app_file(match["file"]), match["function"], Origin.INSTALLED, package)
