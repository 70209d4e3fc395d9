"""Parse the errors that Clojure's command line reports: "Execution error (Type) at ns/fn (file.clj:12)."

The stack traces of the Java virtual machine are those of `java`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace
from relay.traces.runs import MAX_LINE, bounded

NAME = "Clojure"
MARKERS: tuple[str, ...] = ()
LINES = (r"[ESU]\w++ error ",)

_HEAD = re.compile(
    r"(?:Execution error|Syntax error|Unexpected error|Error printing return value) (?:\((?P<type>[\w.$]+)\) )?"
    r"(?:(?:macroexpanding|compiling|reading source|printing return value|evaluating)(?: \S+)? )?"
    r"at (?P<place>\S+)? ?\((?P<file>[^():]{1,300}):\d+(?::\d+)?\)\.$"
)
_NUMBERED = re.compile(r"(?:eval|fn__|G__)\d+|__\d+")
_LIBRARY_SPACES = ("clojure.", "cljs.", "nrepl.", "leiningen.", "ring.", "compojure.")


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first error in `lines`; see `Language.read`."""
    for number, line in enumerate(lines):
        if " error " in line and (match := _HEAD.match(line[:MAX_LINE].rstrip())):
            message = lines[number + 1][:MAX_LINE] if number + 1 < len(lines) else ""
            place = _NUMBERED.sub("", match["place"] or "")
            space, _, function = place.partition("/")
            origin = Origin.LIBRARY if space.startswith(_LIBRARY_SPACES) else Origin.APP
            frame = Frame(space or match["file"].rpartition("/")[2], function or space, origin)
            error = Error(type=match["type"] or "", message=message, frames=(frame,))
            return Trace(language=NAME, errors=(error,), start=number, end=min(len(lines), number + 2))
    return None
