"""Parse tracebacks of Nim: the frames as `file.nim(12) proc`, outermost first, and the exception below them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import FIRST_WORD, Error, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, bounded, first_run

NAME = "Nim"
MARKERS: tuple[str, ...] = ()
LINES = (FIRST_WORD + r"\((?<=\.nim\()",)

_FRAME = re.compile(r"(?P<file>\S[^()]{0,300}\.nim)\(\d+\)\s+(?P<function>\S+)$")
_BETWEEN = re.compile(r"\[\[re")
"""An exception that was raised again: `[[reraised from:` and the frames of the first time."""
_ERROR = re.compile(r"Error: unhandled exception: (?P<message>.*) \[(?P<type>\w+)\]$")


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first traceback in `lines`; see `Language.read`."""
    run = first_run(lines, _frame, between=_BETWEEN)
    if run is None:
        return None
    start = run.start - 1 if run.start and lines[run.start - 1].startswith("Traceback (") else run.start
    match = _ERROR.match(lines[run.end][:MAX_LINE]) if run.end < len(lines) else None
    error = Error(match["type"] if match else "", match["message"] if match else "", run.frames)
    return Trace(language=NAME, errors=(error,), start=start, end=run.end + (match is not None))


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    if match is None:
        return None
    library = "/nim/lib/" in match["file"] or "/.nimble/pkgs" in match["file"] or match["file"].startswith("/usr/lib/")
    return Frame(app_file(match["file"]), match["function"], Origin.LIBRARY if library else Origin.APP)
