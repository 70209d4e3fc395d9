"""Parse backtraces of OCaml (`OCAMLRUNPARAM=b`): "Raised at", "Called from"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import bounded, first_run, head_above, trace_of

NAME = "OCaml"
MARKERS: tuple[str, ...] = ()
LINES = ("Called from ", r"Raised (?:at|by) ", "Re-raised at ")

_FRAME = re.compile(
    r"\s*(?:Called from|Raised at|Re-raised at|Raised by primitive operation at) "
    r"(?:(?P<function>[\w.'<>-]{1,300}) in )?"
    r"file \"(?P<file>[^\"]{1,300})\"(?: \(inlined\))?, lines? \d+(?:-\d+)?"
)
_HEAD = re.compile(
    r"(?:.{0,300}?[\s:])??(?:Fatal error: )?[Ee]xception:? (?P<type>[A-Z][\w.']*)(?:[:(] ?(?P<message>.*?)\)?)?$"
)
_LIBRARIES = ("Stdlib", "CamlinternalLazy", "Lwt", "Async", "Base.", "Base__", "Core", "Eio", "Dream", "Cohttp", "Fun.")


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first backtrace in `lines`; see `Language.read`. OCaml prints the innermost frame first."""
    run = first_run(lines, _frame)
    if run is None:
        return None
    if found := head_above(lines, run.start, _HEAD, within=4):
        return trace_of(NAME, found[1]["type"], (found[1]["message"] or "").strip('"'), run, found[0])
    return trace_of(NAME, "", "", run)


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    if match is None:
        return None
    function, file = match["function"] or "", match["file"]
    library = function.startswith(_LIBRARIES) or "/.opam/" in file or file in ("stdlib.ml", "list.ml", "hashtbl.ml")
    return Frame(app_file(file), function, Origin.LIBRARY if library else Origin.APP)
