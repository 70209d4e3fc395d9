"""Parse stack traces of Erlang: those of the shell, of crash reports, and raw terms as the log handlers print them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Frame, Origin, Trace
from relay.traces.paths import app_file
from relay.traces.runs import MAX_LINE, Run, bounded, first_run, head_above, trace_of

NAME = "Erlang"
MARKERS: tuple[str, ...] = ()
LINES = (
    r"\*\* (?:\{|exception )",
    r"exception (?:error|exit|throw): ",
    INDENTED + r"in (?:function|call from) ",
    r"\[\{",
    r"\{(?:\{|\"init|[a-z_]+,\[)",
)

_HEAD = re.compile(r".{0,200}?\bexception (?P<class>error|exit|throw): (?P<message>.*)$")
_PLACE = re.compile(r" (?P<function>[\w@']{1,100}:[\w@'-]{1,100})[(/].* ?\((?P<file>[^()]+\.[ehxy]rl), line \d+\)$")
"""The place where a function was called with arguments for which it has no clause: at the end of the message."""
_FRAME = re.compile(
    r"\s+in (?:function|call from) +(?P<function>[\w@']+:(?:'[^']+'|[^/\s(]+))[/(].*?"
    r"(?:\((?P<file>[^()]+), line \d+\))?\s*$"
)
_TERM = re.compile(
    r"\{(?P<module>[a-z][\w@]*|'[^']+'),\s*(?P<name>[a-z][\w@]*|'[^']+'),\s*(?:\d+|\[[^\[\]]{0,500}\]),"
    r"\s*\[\{file,\"(?P<file>[^\"]{1,300})\"\},\s*\{line,\d+\}"
)
"""One call of a raw stack: `{shop,price,[5],[{file,"src/shop.erl"},{line,3}]}`."""
_REASON = re.compile(r"(?:\*\* )?\{+(?P<type>[a-z][\w@]*|'[^']+')(?P<rest>[^\[\]]{0,200})")
_CODES = (
    ("no match of right hand side value", "badmatch"),
    ("no function clause matching", "function_clause"),
    ("no case clause matching", "case_clause"),
    ("no true branch found", "if_clause"),
    ("undefined function", "undef"),
    ("bad argument", "badarg"),
    ("an error occurred when evaluating an arithmetic expression", "badarith"),
    ("bad function", "badfun"),
)
"""Erlang's phrases for its own errors, and their codes. The value after the phrase is data."""
_TERM_HEAD = re.compile(r"\{?(?P<type>[a-z][\w@]*|'[^']+')[,}]?")
_CLOSURE = re.compile(r"'-(?P<name>[^/']+)/.*'$")
_MODULES = """
application application_controller application_master c code dict ets erl_eval erl_parse erl_scan erlang escript
file gb_sets gb_trees gen gen_event gen_fsm gen_server gen_statem httpc inet init io io_lib lists logger maps orddict
proc_lib proplists queue rand re sets shell ssl string supervisor sys timer unicode cowboy_handler cowboy_http
cowboy_http2 cowboy_rest cowboy_stream cowboy_stream_h ranch_conns_sup mochiweb_http webmachine_decision_core poolboy
gen_server2 hackney jsx jiffy lager
"""
_LIBRARIES = frozenset(_MODULES.split())
_MAX_TERMS = 200


@bounded
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. Erlang prints the innermost frame first."""
    for number, line in enumerate(lines):
        if "exception " in line and (match := _HEAD.match(line[:MAX_LINE])):
            return _printed(lines, number, match)
        if '[{file,"' in line and _TERM.search(" ".join(lines[max(0, number - 3) : number + 1])[-MAX_LINE:]):
            return _raw(lines, number)
    return None


def _printed(lines: Sequence[str], number: int, head: re.Match[str]) -> Trace | None:
    run = first_run(lines[: number + 100], _frame, begin=number + 1)
    end = run.end if run and run.start <= number + 3 else number + 1
    frames = run.frames if run and run.start <= number + 3 else ()
    message = head["message"]
    if place := _PLACE.search(message):
        frames = (_call(place["function"], place["file"]), *frames)
        message = message[: place.start()]
    if not frames:
        return None
    type_, message = _code(message, head["class"])
    return trace_of(NAME, type_, message, Run(frames, number, end))


def _frame(line: str) -> Frame | None:
    match = _FRAME.match(line)
    return _call(match["function"], match["file"] or "") if match else None


def _call(function: str, file: str) -> Frame:
    module, _, name = function.partition(":")
    closure = _CLOSURE.match(name)
    origin = Origin.LIBRARY if module in _LIBRARIES else Origin.APP
    return Frame(app_file(file) if file else module, f"{module}:{closure['name'] if closure else name}", origin)


def _code(message: str, class_: str) -> tuple[str, str]:
    for phrase, code in _CODES:
        if message.startswith(phrase):
            return code, phrase
    match = _TERM_HEAD.match(message)
    return (match["type"], message) if match else (class_, message)


def _raw(lines: Sequence[str], number: int) -> Trace | None:
    """Parse a raw term: the reason, then a list of calls. It begins a few lines above its first file name."""
    first = max(0, number - 3)
    found = head_above(lines, number + 1, _REASON, within=4, least=first)
    start = found[0] if found else number
    end = number + 1
    while end < len(lines) and end - number < _MAX_TERMS and lines[end][:1] in (" ", "\t") and lines[end].strip():
        end += 1
    text = " ".join(line.strip()[: 20 * MAX_LINE] for line in lines[start:end])
    frames = tuple(
        _call(f"{match['module']}:{match['name']}", match["file"])
        for match, _ in zip(_TERM.finditer(text), range(_MAX_TERMS), strict=False)
    )
    if not frames:
        return None
    reason = _REASON.search(text)
    message = "" if reason is None else f"{reason['type']}{reason['rest']}".strip("{}, ")
    return trace_of(NAME, reason["type"] if reason else "", message, Run(frames, start, end))
