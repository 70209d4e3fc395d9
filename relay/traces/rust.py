"""Parse panics of Rust, with or without a backtrace, and backtraces of error libraries such as anyhow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace, line_based
from relay.traces.paths import app_file

NAME = "Rust"
MARKERS: tuple[str, ...] = ("panicked at ",)
LINES = (r"[sS]tack backtrace:",)

_HEAD = re.compile(
    r"(?:.*\s)?thread '.*' (?:\(\d+\) )?panicked at (?:'(?P<message>.*)', )?(?P<file>[^\s:]+):\d+:\d+:?$"
)
_FRAME = re.compile(r"\s+\d+: +(?:0x[0-9a-f]+ - )?(?P<function>\S.*)$")
_AT = re.compile(r"\s+at (?P<file>.+?)(?::\d+){0,2}$")
_HASH = re.compile(r"::h[0-9a-f]{16}$")
_CLOSURE = re.compile(r"(?:::\{\{closure\}\}(?:#\d+)?)+")
_LIBRARIES = ("std::", "core::", "alloc::", "tokio::", "__rust", "rust_", "_start", "__libc_start")
_ENTRIES = frozenset(("main", "clone", "start_thread"))
_MAX_HEAD = 1_000
"""Characters of the line that names the panic. A limit, because the pattern tries several beginnings."""
_LIBRARY_PATHS = ("/rustc/", "/.cargo/registry/", "/.cargo/git/", "/cargo/registry/", "/library/std/")


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first panic or backtrace in `lines`; see `Language.read`. Rust prints the innermost frame first."""
    start = next((n for n, line in enumerate(lines) if "panicked at " in line and _head(line)), -1)
    if start < 0:
        return _bare_backtrace(lines)
    head = _head(lines[start])
    below = lines[start + 1] if start + 1 < len(lines) else ""
    message = head["message"] if head and head["message"] is not None else below
    frames, end = _backtrace(lines, start + 1)
    if not frames and head:
        frames, end = [Frame(app_file(head["file"]), "", Origin.APP)], min(len(lines), start + 2)
    return Trace(language=NAME, errors=(_error("panic", message, frames),), start=start, end=end)


def _head(line: str) -> re.Match[str] | None:
    return _HEAD.match(line) if len(line) <= _MAX_HEAD else None


def _bare_backtrace(lines: Sequence[str]) -> Trace | None:
    frames, end = _backtrace(lines, 0)
    if not frames:
        return None
    start = next(n for n, line in enumerate(lines) if line.strip().lower() == "stack backtrace:")
    return Trace(language=NAME, errors=(_error("", lines[0], frames),), start=start, end=end)


def _error(type_: str, message: str, frames: list[Frame]) -> Error:
    return Error(type=type_, message=message, frames=tuple(reversed(frames)))


def _backtrace(lines: Sequence[str], start: int) -> tuple[list[Frame], int]:
    """Return the frames below the next line "stack backtrace:", if any, and the number of the line after them."""
    frames: list[Frame] = []
    begun = False
    end = start
    for number in range(start, len(lines)):
        line = lines[number]
        if not begun:
            begun = line.strip().lower() == "stack backtrace:"
        elif match := _FRAME.match(line):
            frames.append(_frame(match["function"], lines[number + 1] if number + 1 < len(lines) else ""))
        elif not _AT.match(line) and not line.startswith("note: "):
            break
        end = number + 1
    return frames, end


def _frame(function: str, below: str) -> Frame:
    name = _CLOSURE.sub("", _HASH.sub("", function))
    at = _AT.match(below)
    place = at["file"] if at else ""
    library = (
        name in _ENTRIES or name.lstrip("<").startswith(_LIBRARIES) or any(part in place for part in _LIBRARY_PATHS)
    )
    return Frame(app_file(place) if place else "", name, Origin.LIBRARY if library else Origin.APP)
