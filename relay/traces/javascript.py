"""Parse stack traces of V8 and of Bun: Node.js, Deno, Chrome.

Supported: `async`, `new` and anonymous frames, `[cause]`, aggregate errors, error codes in brackets, unhandled
rejections, the source excerpt that Node prints above a trace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Error, Frame, Origin, Trace, line_based
from relay.traces.paths import app_file

NAME = "JavaScript"
MARKERS: tuple[str, ...] = ()
LINES = (INDENTED + r"at (?<=    at )",)

_FRAME = re.compile(
    r"\s*at (?:async )?(?:(?P<function>\S.*) \()?(?P<where>[^()\s]*:\d+:\d+|<anonymous>|native|index \d+)\)?"
    r"(?P<more> \{)?,?$"
)
_WRAPPED = re.compile(
    r".*(?:\bUnhandledPromiseRejectionWarning: |\bUncaught (?:exception: )?(?:\(in promise\) )?)|\s*\[cause\]: "
    r"|Caused by: "
)
_HEAD_ABOVE = re.compile(r"[: ](?P<type>[A-Z]\w*Error|Error)(?: \[\w+\])?: (?P<message>.*)$")
"""`console.error("cannot close box 5:", error)`: the error after other text, on the line above its first frame."""
_BUN_ERROR = re.compile(r"error: (?P<message>.*)$")
"""Bun prints an error of the class `Error` without its name."""
_CAUSES = ("[cause]", "Caused by: ")
"""Node and Deno print the cause below the frames of the reported error."""
_BUILT_IN = ("node:", "internal/", "ext:", "deno:", "bun:")
_MAX_HEAD = 2_000
_HEAD = re.compile(r"(?P<type>[A-Z][\w.]*)(?: \[\w+\])?(?::(?: (?P<message>.*))?)?$")
_ALONE = re.compile(r"\[(?P<type>[A-Z][\w.]*)(?: \[\w+\])?(?:: (?P<message>.*))?\](?: \{)?$")
"""An error without frames, such as an aggregate error that Node itself creates."""
_ERRORS = "[errors]: ["
_POSITION = re.compile(r"(?::\d+){1,2}$")
_ALIAS = re.compile(r" \[as [^\]]*\]$")
_HEAD_WITHIN = 12
_NO_HEAD = ("", "")
_MAX_PROPERTIES = 50
"""Maximum number of lines of the error's properties, which Node prints in braces after the last frame."""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. V8 prints the cause inside the reported error."""
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
                head, start = (
                    (_with_message(head, lines[head_at + 1 : number]), head_at) if near else _head_above(lines, number)
                )
            frames.append(_frame(match))
            end = number + 1
            more = more or bool(match["more"])
            continue
        # A blank line or the name of another error ends the frames of the current error.
        found = _head(line)
        if frames and (found or not line.strip()):
            errors.append(_error(head, frames))
            frames = []
            if not line.lstrip().startswith(_CAUSES):
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
    """Parse an `AggregateError`: its members, each with its frames, indented, up to the closing bracket."""
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
    """Return the number of the line after the brace that closes the error, or `end` if there is none."""
    closing = (number for number in range(end, min(len(lines), end + _MAX_PROPERTIES)) if lines[number] == "}")
    return next(closing, end - 1) + 1


def _head(line: str) -> tuple[str, str] | None:
    wrapped = _WRAPPED.match(line)
    match = _HEAD.match(line, wrapped.end()) if wrapped else _HEAD.match(line) or _ALONE.match(line)
    return (match["type"], (match["message"] or "").removesuffix(" {")) if match else None


def _with_message(head: tuple[str, str], below: Sequence[str]) -> tuple[str, str]:
    """Return `head`; if its message is empty, with the last line above the frames as the message.

    The lines between them are a source excerpt.
    """
    return (head[0], below[-1].strip()) if below and not head[1] else head


def _head_above(lines: Sequence[str], number: int) -> tuple[tuple[str, str], int]:
    """Return the error named at the end of the line above frame line `number`, and the line where the trace begins."""
    line = lines[number - 1][:_MAX_HEAD] if number else ""
    if match := _BUN_ERROR.match(line):
        return ("Error", match["message"]), number - 1
    match = _HEAD_ABOVE.search(line)
    return ((match["type"], match["message"]), number - 1) if match else (_NO_HEAD, number)


def _frame(match: re.Match[str]) -> Frame:
    path = _POSITION.sub("", match["where"]).removeprefix("file://")
    function = _ALIAS.sub("", match["function"] or "<anonymous>").removeprefix("new ")
    library = "node_modules/" in path or "/" not in path.replace("\\", "/") or path.startswith(_BUILT_IN)
    return Frame(app_file(path), function, Origin.LIBRARY if library else Origin.APP)
