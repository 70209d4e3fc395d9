"""Parse stack traces of Dart and Flutter, also in the short form of the package `stack_trace`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import bounded, first_run, head_above, trace_of

NAME = "Dart"
MARKERS: tuple[str, ...] = ()
LINES = (r"#[012] ", r"package:", r"dart:", r"[IEWDF]/flutter ", r"flutter: ")

_MARGIN = r"(?:[IEWDF]/flutter ?\( *\d+\): |flutter: )?"
_FILE = r"(?P<file>(?:package|dart|file|org-dartlang-\w+):[^\s()]{1,300}?)"
_FRAME = re.compile(rf"{_MARGIN}\s*#\d+ {{2,}}(?P<function>\S.*?) \({_FILE}(?::\d+){{0,2}}\)$")
_SHORT = re.compile(rf"{_MARGIN}\s*{_FILE}(?: \d+:\d+)? {{2,}}(?P<function>\S.*)$")
_BETWEEN = re.compile(rf"{_MARGIN}(?:<asynchronous suspension>|=+ asynchronous gap =+|\.\.\.|\(elided )")
_HEAD = re.compile(
    rf"{_MARGIN}(?:.{{0,200}}?[Uu]nhandled [Ee]xception: ?)?(?P<type>_?[A-Z]\w*(?:Error|Exception)|Exception)"
    r"(?: \([^)]{1,100}\))?(?:: (?P<message>.*))?$"
)
_UNHANDLED = re.compile(rf"{_MARGIN}(?:.{{0,200}}?[Uu]nhandled [Ee]xception:)(?P<message>.*)$")
_FLUTTER = re.compile(rf"{_MARGIN}The following (?P<type>\w+)(?: object)? was thrown\b")
"""Flutter's report. The message is on the next line."""
_MARGIN_ONLY = re.compile(_MARGIN)
_CLOSURE = re.compile(r"(?:\.<(?:anonymous closure|fn)>)+$")
_PACKAGES = """
flutter flutter_test flutter_web_plugins async collection stack_trace http dio provider bloc flutter_bloc riverpod
flutter_riverpod hooks_riverpod get get_it rxdart shelf shelf_router test test_api stream_channel isolate sqflite
hive firebase_core cloud_firestore go_router
"""
_LIBRARIES = frozenset(_PACKAGES.split())
_HEAD_WITHIN = 30
_MAX_MESSAGE_LINES = 1


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. Dart prints the innermost frame first."""
    run = first_run(lines, _frame, between=_BETWEEN)
    if run is None:
        return None
    run = run._replace(frames=_with_script(run.frames))
    if found := head_above(lines, run.start, _FLUTTER, within=_HEAD_WITHIN):
        at, head = found
        below = lines[at + 1] if at + 1 < run.start else ""
        return trace_of(NAME, head["type"], _MARGIN_ONLY.sub("", below, count=1), run, at)
    if found := head_above(lines, run.start, _HEAD):
        at, head = found
        return trace_of(NAME, head["type"], head["message"] or "", run, at)
    if found := head_above(lines, run.start, _UNHANDLED):
        at, head = found
        below = lines[at + 1] if at + 1 < run.start else ""
        return trace_of(NAME, "", head["message"].strip() or below, run, at)
    return trace_of(NAME, "", "", run) if len(run.frames) > 1 else None


def _with_script(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Return `frames`, with a script that only starts a package as a part of this package, the outermost one."""
    package = next((frame.package for frame in reversed(frames) if frame.package), "")
    if not package:
        return frames
    return tuple(
        frame._replace(origin=Origin.INSTALLED, package=package) if frame.origin is Origin.APP else frame
        for frame in frames
    )


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line) or _SHORT.match(line)
    if match is None:
        return None
    scheme, _, path = match["file"].partition(":")
    function = _CLOSURE.sub("", match["function"]).removeprefix("new ")
    if scheme != "package":
        origin = Origin.APP if scheme == "file" else Origin.LIBRARY
        return Frame(app_file(path) if scheme == "file" else path, function, origin)
    package = path.partition("/")[0]
    if package in _LIBRARIES:
        return Frame(path, function, Origin.LIBRARY)
    return Frame(path, function, Origin.INSTALLED, package)
