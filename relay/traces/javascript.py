"""Stack traces of V8: Node.js, Deno, Chrome.

Understood: `async` and `new` frames, anonymous ones, `[cause]`, error codes in brackets,
rejections nobody handled, the source excerpt that Node prints in front.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace
from relay.traces.paths import app_file

NAME = "JavaScript"
MARKS = ("    at ",)

_FRAME = re.compile(
    r"\s*at (?:async )?(?:(?P<function>\S.*) \()?(?P<where>[^()\s]*:\d+:\d+|<anonymous>|native|index \d+)\)?$"
)
_WRAPPED = re.compile(
    r".*(?:\bUnhandledPromiseRejectionWarning: |\bUncaught (?:exception: )?(?:\(in promise\) )?)|\s*\[cause\]: "
)
_HEAD = re.compile(r"(?P<type>[A-Z][\w.]*)(?: \[\w+\])?(?:: (?P<message>.*))?$")
_POSITION = re.compile(r"(?::\d+){1,2}$")
_ALIAS = re.compile(r" \[as [^\]]*\]$")
_HEAD_WITHIN = 12


def read(lines: Sequence[str]) -> Trace | None:
    """The first trace in `lines`; see `Language.read`. The reported error is printed first, its cause inside it."""
    errors: list[Error] = []
    frames: list[Frame] = []
    head: tuple[str, str] = ("", "")
    head_at = start = end = -1
    for number, line in enumerate(lines):
        if " at " in line and (match := _FRAME.match(line)):
            if start < 0:
                start = head_at if 0 <= number - head_at <= _HEAD_WITHIN else number
            frames.append(_frame(match))
            end = number + 1
            continue
        found = _head(line)
        if frames and (found or not line.strip()):
            errors.append(Error(type=head[0], message=head[1], frames=tuple(reversed(frames))))
            frames = []
            if not line.lstrip().startswith("[cause]"):
                break
        if found:
            head, head_at = found, number
    if frames:
        errors.append(Error(type=head[0], message=head[1], frames=tuple(reversed(frames))))
    if not errors:
        return None
    return Trace(language=NAME, errors=tuple(reversed(errors)), start=start, end=end)


def _head(line: str) -> tuple[str, str] | None:
    wrapped = _WRAPPED.match(line)
    match = _HEAD.match(line, wrapped.end()) if wrapped else _HEAD.match(line)
    return (match["type"], (match["message"] or "").removesuffix(" {")) if match else None


def _frame(match: re.Match[str]) -> Frame:
    path = _POSITION.sub("", match["where"]).removeprefix("file://")
    function = _ALIAS.sub("", match["function"] or "<anonymous>").removeprefix("new ")
    library = "node_modules/" in path or "/" not in path.replace("\\", "/") or path.startswith(("node:", "internal/"))
    return Frame(app_file(path), function, Origin.LIBRARY if library else Origin.APP)
