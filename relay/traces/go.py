"""Parse panics and goroutine dumps of Go: the goroutine that failed, which is printed first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace, line_based

NAME = "Go"
MARKERS: tuple[str, ...] = ()
LINES = (r"goroutine ",)

_HEAD = re.compile(r"(?:.*\s)?(?P<type>panic|fatal error)(?: serving \S+)?: (?P<message>.*)$")
_GOROUTINE = re.compile(r"goroutine \d+ (?:gp=\S+ m=\S+ )?\[")
_PLACE = re.compile(r"\s+\S.*\.(?:go|s):\d+")
_GENERATED = re.compile(r"\.(?:func|gowrap)?\d+(?=\.|$)|\[\.\.\.\]|-fm$")
"""`main.func2`, `main.func1.3`, `Map[...]`: compiler-made names of closures, wrappers and generic instances."""
_TOP_FOLDERS = """
archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash
html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv
strings structs sync syscall testing text time unicode unique unsafe weak vendor golang
"""
_STANDARD = frozenset(_TOP_FOLDERS.split())
"""The top folders of the standard library (https://pkg.go.dev/std), and golang.org/x."""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first panic in `lines`; see `Language.read`."""
    frames: list[Frame] = []
    head: tuple[int, str, str] | None = None
    start = end = -1
    for number, line in enumerate(lines):
        if start < 0:
            if _GOROUTINE.match(line):
                start = end = number
            elif (": " in line) and (match := _HEAD.match(line)):
                head = (number, match["type"], match["message"])
        elif line and line[0] not in " \t" and number + 1 < len(lines) and _PLACE.match(lines[number + 1]):
            if not line.startswith("created by "):
                frames.append(_frame(line, lines[number + 1]))
            end = number + 2
        elif not line.strip() and frames:
            break
    if not frames:
        return None
    start, type_, message = head or (start, "panic", "")
    error = Error(type=type_, message=message.removesuffix(" [recovered]"), frames=tuple(reversed(frames)))
    return Trace(language=NAME, errors=(error,), start=start, end=max(end, start + 1))


def _frame(line: str, place: str) -> Frame:
    name = line.rpartition("(")[0] or line
    folder, slash, last = name.rpartition("/")
    package, _, function = last.partition(".")
    top = name.partition("/")[0].partition(".")[0]
    library = top in _STANDARD or "/pkg/mod/" in place or "/vendor/" in place
    return Frame(folder + slash + package, _GENERATED.sub("", function), Origin.LIBRARY if library else Origin.APP)
