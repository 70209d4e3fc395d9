"""Parse tracebacks of Zope and Plone: "Module X, line N, in f", also under the heading "innermost last".

They have Python's order and last line, but name the module instead of the file. Frames with files are those of Python
(`python`). Between the frames are source lines and `__traceback_info__`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Error, Frame, Origin, Trace
from relay.traces.paths import KNOWN_PACKAGES
from relay.traces.runs import MAX_LINE, bounded, first_run

NAME = "Zope"
MARKERS: tuple[str, ...] = ()
LINES = (INDENTED + r"Module ",)

_FRAME = re.compile(r"\s*Module (?P<module>[^,]{1,300}), line \d+, in (?P<function>.*)$")
_BETWEEN = re.compile(r"\s+\S|\s*$")
_TYPE = re.compile(r"(?P<type>[^\W\d][\w.]*)(?::[ ]?(?P<message>.*))?$")
_HEADING = "Traceback ("
_PACKAGES = """
AccessControl Acquisition App BTrees DateTime DocumentTemplate OFS Persistence Products Shared TAL Testing ZConfig
ZODB ZPublisher ZServer ZTUtils Zope2 asyncore chameleon five logging medusa multiprocessing persistent plone
socketserver SocketServer threading transaction z3c zExceptions zc zodbpickle
"""
_LIBRARIES = KNOWN_PACKAGES.union(_PACKAGES.split())


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first traceback in `lines`; see `Language.read`. Zope prints the innermost frame last."""
    run = first_run(lines, _frame, between=_BETWEEN)
    if run is None:
        return None
    start = run.start - 1 if run.start and lines[run.start - 1].lstrip().startswith(_HEADING) else run.start
    for number in range(run.end, len(lines)):
        line = lines[number][:MAX_LINE]
        if line.strip() and line[0] not in " \t":
            match = _TYPE.match(line.strip())
            error = Error(match["type"] if match else "", (match["message"] or "") if match else "", run.frames)
            return Trace(language=NAME, errors=(error,), start=start, end=number + 1 if match else run.end)
    return Trace(language=NAME, errors=(Error("", "", run.frames),), start=start, end=run.end)


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    if match is None:
        return None
    package = match["module"].partition(".")[0]
    origin = Origin.LIBRARY if package in _LIBRARIES else Origin.INSTALLED
    return Frame(match["module"], match["function"].strip(), origin, "" if origin is Origin.LIBRARY else package)
