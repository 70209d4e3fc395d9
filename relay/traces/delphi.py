"""Parse bug reports of Delphi and Free Pascal: madExcept, EurekaLog, JclDebug, and the run-time's own traces.

The reports list system data first. The exception stands on label lines somewhere above the frames: the trace begins
there. Only the first stack counts, which is that of the thread that failed. Frames are printed innermost first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, Run, bounded, first_run, head_above, trace_of

NAME = "Delphi"
MARKERS: tuple[str, ...] = ()
LINES = (
    *("exception class", "Exception class", "Call Stack Information:"),
    *(r"\[(?=[0-9A-F]{8,16}\]\{)", r"\((?=[0-9A-F]{8,16}\)\{)", INDENTED + r"\$(?=[0-9A-F]{8})"),
)

_MAD = re.compile(
    r"(?:[0-9a-f]{8}|[0-9a-f]{16}) (?:\+[0-9a-f]{1,8} )?(?P<module>[^\s|]{1,100}\.(?:exe|dll|bpl|drv|sys|cpl|ocx))"
    r"(?: +(?P<unit>[A-Za-z_][\w.]*))?(?: +\d+)?(?: +\+[0-9a-f]+)?(?: +(?P<function>\S.*))?$"
)
"""madExcept: address, offset, module, unit, line, lines into the function, function."""
_JCL = re.compile(
    r"[\[(][0-9A-F]{8,16}[\])]\{(?P<module>[^}]{1,100}?)\s*\}\s*(?:\[[0-9A-F]{8,16}\] )?(?P<function>[^\s(]\S*)"
    r"(?: \(Line \d+, \"(?P<file>[^\"]{1,200})\".*)?(?: \+ \$?\w+)?\s*$"
)
_JCL_UNKNOWN = re.compile(r"[\[(][0-9A-F]{8,16}[\])]\{[^}]{1,100}\}|\s*$")
_PASCAL = re.compile(r"\s+\$[0-9A-F]{8,16}(?:\s+(?P<function>[\w.$]+),\s+line \d+ of (?P<file>\S+))?\s*$")
_PASCAL_HEAD = re.compile(r"(?:Exception )?(?P<type>E[A-Z]\w*)(?:: (?P<message>.*))?$")
_LABEL = re.compile(
    r"\s*(?:\d\.\d+ )?(?:exception )?(?P<label>class|message|type)(?: name)? *: (?P<value>.*)$", re.IGNORECASE
)
_HEAD = re.compile(r"(?:.{0,200}[\s(])?(?P<type>E[A-Z]\w*)(?::| with message) (?P<message>.*)$")
_COLUMNS = ("module", "unit", "class", "procedure/method")
_UNITS = """
System SysInit SysUtils Classes Controls Forms StdCtrls ExtCtrls ComCtrls Menus Dialogs Graphics Buttons ActnList Grids
DB DBGrids ADODB DBTables Variants Windows Messages ComObj Contnrs TypInfo Math Types Registry SyncObjs madExcept
madHooks JclDebug JclHookExcept EExceptionManager ECallStack EBase rtl
"""
_LIBRARY_UNITS = frozenset(_UNITS.lower().split())
_LIBRARY_SPACES = ("system.", "vcl.", "fmx.", "data.", "winapi.", "firedac.", "soap.", "datasnap.", "id", "jcl", "mad")
_LIBRARY_PATHS = ("/fpc/", "include/", "lcl", "win32/", "rtl/")
_LABELS_WITHIN = 60
"""Maximum number of lines from the labels with the exception to its first frame."""


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`."""
    return _labelled(lines) or _pascal(lines)


def _labelled(lines: Sequence[str]) -> Trace | None:
    run = first_run(lines, _mad_frame) or _eureka(lines) or first_run(lines, _jcl_frame, between=_JCL_UNKNOWN)
    if run is None:
        return None
    labels = _labels(lines, run.start)
    if labels:
        start, type_, message = labels
        return trace_of(NAME, type_, message, run, start)
    if found := head_above(lines, run.start, _HEAD):
        return trace_of(NAME, found[1]["type"], found[1]["message"], run, found[0])
    return trace_of(NAME, "", "", run) if len(run.frames) > 1 and not _MAD.match(lines[run.start]) else None


def _labels(lines: Sequence[str], number: int) -> tuple[int, str, str] | None:
    """Return the first line of the labels above line `number`, and the type and message on them."""
    values: dict[str, str] = {}
    start = number
    for at in range(number - 1, max(-1, number - _LABELS_WITHIN), -1):
        if match := _LABEL.match(lines[at][:MAX_LINE]):
            key = "message" if match["label"].lower() == "message" else "type"
            if key not in values:
                values[key] = match["value"].strip()
                start = at
    return (start, values["type"], values.get("message", "")) if values.get("type") else None


def _mad_frame(line: str) -> Frame | None:
    match = _MAD.match(line)
    if match is None:
        return None
    unit, function = match["unit"] or "", match["function"] or ""
    if not function:
        unit, function = "", unit  # a system library: the name behind it is that of a function
    return _frame(match["module"], unit, function)


def _jcl_frame(line: str) -> Frame | None:
    match = _JCL.match(line)
    if match is None:
        return None
    unit, dot, function = match["function"].partition(".")
    return _frame(match["module"], unit if dot else "", function if dot else unit)


def _frame(module: str, unit: str, function: str) -> Frame:
    name = unit.lower()
    library = (
        not unit
        or name in _LIBRARY_UNITS
        or name.startswith(_LIBRARY_SPACES)
        or module.lower() == f"{name}.dll"
        or not module.lower().endswith((".exe", ".bpl", ".dll"))
    )
    return Frame(unit.removesuffix(".pas") or module, function, Origin.LIBRARY if library else Origin.APP)


def _eureka(lines: Sequence[str]) -> Run | None:
    """Parse the table of EurekaLog. Its versions have different columns; a row without a function is left out."""
    for number, line in enumerate(lines):
        titles = [cell.strip().lower() for cell in line[:MAX_LINE].split("|")]
        if "procedure/method" not in titles or not set(_COLUMNS).issubset(titles):
            continue
        module, unit, class_, method = (titles.index(column) for column in _COLUMNS)
        frames: list[Frame] = []
        end = number + 1
        for at in range(number + 1, len(lines)):
            cells = [cell.strip() for cell in lines[at][:MAX_LINE].split("|")]
            if len(cells) >= len(titles) and cells[method]:
                frames.append(
                    _frame(cells[module], cells[unit], ".".join(filter(None, (cells[class_], cells[method]))))
                )
                end = at + 1
            elif frames or not lines[at].startswith(("-", "|")):
                break
        return Run(tuple(frames), number, end) if frames else None
    return None


def _pascal(lines: Sequence[str]) -> Trace | None:
    run = first_run(lines, _pascal_frame)
    named = Run(tuple(frame for frame in run.frames if frame.function), run.start, run.end) if run else None
    if named is None or not named.frames:
        return None
    found = head_above(lines, named.start, _PASCAL_HEAD, within=4)
    if found is None:
        return trace_of(NAME, "", "", named)
    return trace_of(NAME, found[1]["type"], found[1]["message"] or "", named, found[0])


def _pascal_frame(line: str) -> Frame | None:
    match = _PASCAL.match(line)
    if match is None:
        return None
    file = match["file"] or ""
    library = not file or file.startswith(_LIBRARY_PATHS) or "/fpc" in file
    return Frame(app_file(file) if file else "", (match["function"] or "").lower(), Origin(2 if library else 0))
