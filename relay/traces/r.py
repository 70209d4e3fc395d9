"""Parse errors of R with their calls: `Rscript`'s "Calls:", `traceback()` and the backtrace of rlang.

R names no files. An error without calls is no trace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace
from relay.traces.runs import MAX_LINE, bounded, head_above

NAME = "R"
MARKERS: tuple[str, ...] = ()
LINES = ("Calls: ", "Ruft auf: ", r"Appels ?: ", r"1: [\w.:<`]+\(", "Backtrace:")

_HEAD = re.compile(
    r"(?:.{0,200}?\s)??(?:Error in|Fehler in|Fehler bei|Erreur dans|Error en|Errore in|Erro em) "
    r"(?P<call>[`\w.]\S*?\(.{0,500}?\)`?|[`\w.:]+) ?: ?(?P<message>.*)$"
)
_TOP_LEVEL = re.compile(r"(?:Error|Fehler|Erreur) ?: ?(?P<message>.*)$")
_CALLS = re.compile(r"(?:Calls|Ruft auf|Appels ?): (?P<calls>.+)$")
_NUMBERED = re.compile(r"(?P<number>\d+): (?P<call>[\w.:<`]\S*?)\(")
_RLANG = re.compile(r"\s*(?P<number>\d+)\. (?:[│ ]*[├└]─)?(?P<call>[\w.:`<$]+)\(")
_NAME = re.compile(r"(?:(?P<package>[\w.]+):{2,3})?(?P<name>[^(]+)")
_FUNCTIONS = """
<Anonymous> FUN Map Reduce Filter apply lapply sapply vapply mapply tapply rapply do.call eval evalq eval.parent source
sys.source tryCatch tryCatchList tryCatchOne doTryCatch try withCallingHandlers withVisible suppressWarnings
suppressMessages stop stopifnot warning signalCondition print print.default standardGeneric match.arg match.fun
UseMethod NextMethod local with with.default library require loadNamespace requireNamespace
"""
_LIBRARIES = frozenset(_FUNCTIONS.split())
_PACKAGES = frozenset("base stats utils methods rlang dplyr tidyr purrr vctrs tibble shiny plumber knitr".split())  # noqa: SIM905
_MAX_CALLS = 200


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first error with calls in `lines`; see `Language.read`."""
    for number, line in enumerate(lines):
        if match := _CALLS.match(line[:MAX_LINE]):
            names = match["calls"].split(" -> ")[:_MAX_CALLS]
            return _trace(lines, number, number + 1, [_frame(name.strip()) for name in names if name.strip() != "..."])
        if line.strip() == "Backtrace:":
            return _trace(lines, number, *_run(lines, number + 1, _RLANG))
        if match := _NUMBERED.match(line[:MAX_LINE]):
            end, frames = _run(lines, number, _NUMBERED)
            if int(match["number"]) == len(frames) > 1:
                return _trace(lines, number, end, frames[::-1])
    return None


def _run(lines: Sequence[str], number: int, pattern: re.Pattern[str]) -> tuple[int, list[Frame]]:
    """Return the number of the line after the numbered calls that begin at line `number`, and their frames."""
    frames: list[Frame] = []
    end = number
    while end < len(lines) and len(frames) < _MAX_CALLS:
        match = pattern.match(lines[end][:MAX_LINE])
        if match:
            frames.append(_frame(match["call"]))
        elif lines[end][:1] not in (" ", "\t") or not lines[end].strip():
            break
        end += 1
    return end, frames


def _trace(lines: Sequence[str], number: int, end: int, frames: list[Frame]) -> Trace | None:
    """Return the trace with these frames, outermost first, if an error stands above line `number`."""
    found = head_above(lines, number, _HEAD) or head_above(lines, number, _TOP_LEVEL, within=4)
    if found is None or not frames:
        return None
    start, head = found
    below = lines[start + 1] if start + 1 < number else ""
    message = head["message"] or below
    error = Error(type="", message=message[:MAX_LINE].strip().removeprefix("! "), frames=tuple(frames))
    return Trace(language=NAME, errors=(error,), start=start, end=end)


def _frame(call: str) -> Frame:
    match = _NAME.match(call)
    package, name = (match["package"] or "", match["name"].strip("`")) if match else ("", call)
    library = name in _LIBRARIES or package in _PACKAGES
    return Frame(package, name, Origin.LIBRARY if library else Origin.APP)
