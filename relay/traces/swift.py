"""Parse crashes of Swift: the backtraces of its runtime on Linux and the crash reports of Apple's systems."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import bounded, first_run, head_above, trace_of

NAME = "Swift"
MARKERS: tuple[str, ...] = ()
LINES = (r"Thread \d.{0,200}?rashed:", r"Current stack trace:")
"""`Thread 0 Crashed:` of Apple, `Thread 0 "app" crashed:` of Swift 5.9 and later."""

_FRAME = re.compile(
    r"\s*\d+ +(?P<flags>(?:\[[a-z]+\] )*)(?P<address>0x[0-9a-f]+ )?(?P<function>\S.*?)(?: \+ \d+)? in (?P<module>\S+)"
    r"(?: at (?P<file>/\S+?)(?::\d+){1,2})?$"
)
_APPLE = re.compile(
    r"\s*\d+\s+(?P<module>[^\s(]\S*)\s+0x[0-9a-f]+ (?P<function>\S.*?) \+ \d+(?: \((?P<file>[^\s():]+):\d+\))?$"
)
_SOURCE = re.compile(r"\s*(?:\d+)?\s*│|\s*$")
"""The source lines that Swift prints between frames."""
_HEADS = (
    re.compile(r"(?:.{0,300}?[: ])?(?P<type>Fatal error|Precondition failed|Assertion failed): (?P<message>.*)$"),
    re.compile(r"\W*(?P<type>Program crashed): (?P<message>.*)$"),
    re.compile(r"Exception Type: +(?P<type>\S+)(?P<message>)"),
    re.compile(r"\*\*\* Terminating app due to uncaught exception '(?P<type>\w+)', reason: '(?P<message>.*)'"),
)
_HEADING = re.compile(r".{0,200}\b(?:[Cc]rashed:|Current stack trace:)")
_FILE = re.compile(r":? file (?P<file>[^\s,:]+\.swift), line \d+$")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+.*$")
_ARGUMENTS = re.compile(r"\(.*$")
_SYSTEM_MODULES = (
    "lib",
    "dyld",
    "Foundation",
    "CoreFoundation",
    "UIKit",
    "AppKit",
    "SwiftUI",
    "GraphicsServices",
    "CF",
)
_HEAD_WITHIN = 60


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first crash in `lines`; see `Language.read`. Swift prints the innermost frame first."""
    crashed = next((number for number, line in enumerate(lines) if _HEADING.match(line[:300])), -1)
    if crashed < 0:
        return None
    run = first_run(lines, _frame, begin=crashed + 1, between=_SOURCE)
    if run is None or run.start > crashed + 4:
        return None
    for pattern in _HEADS:
        if found := head_above(lines, crashed + 1, pattern, within=_HEAD_WITHIN):
            at, head = found
            message = _ADDRESS.sub("", _FILE.sub("", head["message"]))
            return trace_of(NAME, head["type"], message, run, at)
    return trace_of(NAME, "", "", run, crashed)


def _frame(line: str) -> Frame | None:
    match = _APPLE.match(line) or _FRAME.match(line)
    if match is None:
        return None
    flags = match.groupdict().get("flags") or ""
    if match.re is _FRAME and not (flags or match["address"] or match["file"]):
        return None
    library = "[system]" in flags or match["module"].startswith(_SYSTEM_MODULES)
    name = _ARGUMENTS.sub("", match["function"].rpartition(" in ")[2])
    file = app_file(match["file"]) if match["file"] else match["module"]
    return Frame(file, name or match["function"], Origin.LIBRARY if library else Origin.APP)
