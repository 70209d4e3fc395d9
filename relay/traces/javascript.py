"""Stack traces of V8: Node.js, Deno, Chrome.

Understood: `async` and `new` frames, anonymous ones, `[cause]`, error codes in brackets,
rejections nobody handled, the source excerpt that Node prints in front.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace, line_based
from relay.traces.paths import app_file

NAME = "JavaScript"
MARKERS = ("    at ",)

_FRAME = re.compile(
    r"\s*at (?:async )?(?:(?P<function>\S.*) \()?(?P<where>[^()\s]*:\d+:\d+|<anonymous>|native|index \d+)\)?"
    r"(?P<more> \{)?,?$"
)
_WRAPPED = re.compile(
    r".*(?:\bUnhandledPromiseRejectionWarning: |\bUncaught (?:exception: )?(?:\(in promise\) )?)|\s*\[cause\]: "
)
_BEHIND = re.compile(r"[: ](?P<type>[A-Z]\w*Error|Error)(?: \[\w+\])?: (?P<message>.*)$")
"""`console.error("cannot close box 5:", error)`: the error behind the app's own words, right above its calls."""
_MAX_HEAD = 2_000
_HEAD = re.compile(r"(?P<type>[A-Z][\w.]*)(?: \[\w+\])?(?::(?: (?P<message>.*))?)?$")
_ALONE = re.compile(r"\[(?P<type>[A-Z][\w.]*)(?: \[\w+\])?(?:: (?P<message>.*))?\](?: \{)?$")
"""An error without calls of its own, as of an aggregate that was made by Node itself."""
_ERRORS = "[errors]: ["
_POSITION = re.compile(r"(?::\d+){1,2}$")
_ALIAS = re.compile(r" \[as [^\]]*\]$")
_HEAD_WITHIN = 12
_NO_HEAD = ("", "")
_MAX_PROPERTIES = 50
"""Lines of the error's own properties, which Node prints in braces behind the last frame."""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """The first trace in `lines`; see `Language.read`. The reported error is printed first, its cause inside it."""
    errors: list[Error] = []
    frames: list[Frame] = []
    head = _NO_HEAD
    head_at = start = end = -1
    more = False
    for number, line in enumerate(lines):
        if _ERRORS in line and number and (frames or number - head_at <= 1):
            return _aggregate(_error(head, frames), lines, start if frames else head_at, number)
        if " at " in line and (match := _FRAME.match(line)):
            if start < 0:
                near = head_at >= 0 and number - head_at <= _HEAD_WITHIN
                head, start = (_whole(head, lines[head_at + 1 : number]), head_at) if near else _behind(lines, number)
            frames.append(_frame(match))
            end = number + 1
            more = more or bool(match["more"])
            continue
        found = _head(line)
        if frames and (found or not line.strip()):
            errors.append(_error(head, frames))
            frames = []
            if not line.lstrip().startswith("[cause]"):
                break
        if found:
            head, head_at = found, number
    if frames:
        errors.append(_error(head, frames))
    if not errors:
        return None
    end = _after_properties(lines, end) if more else end
    return Trace(language=NAME, errors=tuple(reversed(errors)), start=start, end=end)


def _aggregate(outer: Error, lines: Sequence[str], start: int, number: int) -> Trace:
    """What an `AggregateError` holds: its members, each with its calls, indented, up to the closing bracket."""
    closing = lines[number][: len(lines[number]) - len(lines[number].lstrip())] + "]"
    members: list[Error] = []
    head, frames = _NO_HEAD, list[Frame]()
    end = number + 1
    while end < len(lines) and lines[end].strip() and lines[end] != closing:
        line = lines[end].strip()
        if match := _FRAME.match(lines[end]):
            frames.append(_frame(match))
        elif found := _head(line):
            members += [_error(head, frames, member=True)] if head[0] else []
            head, frames = found, []
        end += 1
    members += [_error(head, frames, member=True)] if head[0] else []
    return Trace(language=NAME, errors=(*reversed(members), outer), start=start, end=_after_properties(lines, end))


def _error(head: tuple[str, str], frames: list[Frame], *, member: bool = False) -> Error:
    return Error(type=head[0], message=head[1], frames=tuple(reversed(frames)), member=member)


def _after_properties(lines: Sequence[str], end: int) -> int:
    """The line after the brace that closes the error, or `end` where none does."""
    closing = (number for number in range(end, min(len(lines), end + _MAX_PROPERTIES)) if lines[number] == "}")
    return next(closing, end - 1) + 1


def _head(line: str) -> tuple[str, str] | None:
    wrapped = _WRAPPED.match(line)
    match = _HEAD.match(line, wrapped.end()) if wrapped else _HEAD.match(line) or _ALONE.match(line)
    return (match["type"], (match["message"] or "").removesuffix(" {")) if match else None


def _whole(head: tuple[str, str], below: Sequence[str]) -> tuple[str, str]:
    """With the last line of its message where the first is empty: what stands between shows the place in the code."""
    return (head[0], below[-1].strip()) if below and not head[1] else head


def _behind(lines: Sequence[str], number: int) -> tuple[tuple[str, str], int]:
    """The error named at the end of the line above the first frame, and where the trace begins."""
    match = _BEHIND.search(lines[number - 1][:_MAX_HEAD]) if number else None
    return ((match["type"], match["message"]), number - 1) if match else (_NO_HEAD, number)


def _frame(match: re.Match[str]) -> Frame:
    path = _POSITION.sub("", match["where"]).removeprefix("file://")
    function = _ALIAS.sub("", match["function"] or "<anonymous>").removeprefix("new ")
    library = "node_modules/" in path or "/" not in path.replace("\\", "/") or path.startswith(("node:", "internal/"))
    return Frame(app_file(path), function, Origin.LIBRARY if library else Origin.APP)
