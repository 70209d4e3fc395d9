"""Parse errors of PostgreSQL with a CONTEXT: the functions of PL/pgSQL and other languages through which they went.

An error without a function in its context is no trace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Frame, Origin, Trace
from relay.traces.runs import MAX_LINE, Run, bounded, head_above, trace_of

NAME = "PostgreSQL"
MARKERS: tuple[str, ...] = ("PL/pgSQL", "PL/Python", "PL/Perl")
LINES = (r"[CK]ONTEXT[EO]? ?: ",)

_LABEL = re.compile(r"(?:.{0,300}?[\s:])??(?:CONTEXT|KONTEXT|CONTEXTE|CONTEXTO) ?: {1,2}(?P<rest>\S.*)$")
_FRAME = re.compile(
    r"\s*(?:PL/\w+[ -](?:function|Funktion)|(?:fonction|función|funzione|função) PL/\w+|SQL function|SQL-Funktion) "
    r"[\"«]?(?P<function>[\w.\"$]{1,200}?)[\"»]?(?:\([^()]{0,500}(?:\([^()]{0,100}\)[^()]{0,200}){0,20}\))?"
    r"(?:,? (?:\w+ \d+ \w+ .*|\w+ \d+.*|\w+ startup|during startup))?$"
)
_STATEMENT = re.compile(r"\s*(?:SQL statement|SQL-Anweisung|instruction SQL|sentencia SQL|PL/\w+ assignment) ")
_HEAD = re.compile(
    r"(?:.{0,300}?[\s:])??(?:ERROR|FATAL|PANIC|FEHLER|ERREUR|ERRO|ERRORE|ОШИБКА) ?: {1,2}(?:(?P<code>[0-9A-Z]{5}): )?"
    r"(?P<message>\S.*)$"
)
_MAX_STATEMENT = 60
"""Lines of a statement between two functions."""


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first error with a context in `lines`; see `Language.read`. The innermost function comes first."""
    for number, line in enumerate(lines):
        if "CONTEXT" in line or "KONTEXT" in line:
            label = _LABEL.match(line[:MAX_LINE])
            found = head_above(lines, number, _HEAD, within=20) if label else None
            frames, end = _frames(lines, number, label["rest"]) if label and found else ((), number)
            if found and frames:
                at, head = found
                return trace_of(NAME, head["code"] or "", head["message"], Run(frames, at, end), at)
    return None


def _frames(lines: Sequence[str], number: int, first: str) -> tuple[tuple[Frame, ...], int]:
    frames: list[Frame] = []
    end = number + 1
    in_statement = False
    for at in range(number, min(len(lines), number + _MAX_STATEMENT)):
        line = first if at == number else lines[at][:MAX_LINE]
        if match := _FRAME.match(line):
            name = match["function"].replace('"', "")
            frames.append(Frame(name.rpartition(".")[0], name, Origin.APP))
            end, in_statement = at + 1, False
        elif _STATEMENT.match(line):
            in_statement = True
        elif not in_statement or not line.strip():
            break
    return tuple(frames), end
