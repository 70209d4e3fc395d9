"""Stack traces of .NET, with and without files.

Understood: inner exceptions; async methods and lambdas, which are named after the method they are in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace, line_based

NAME = ".NET"
MARKERS = ("  at ", "   bei ", "   à ", "   en ", "   in ", "   em ", "   в ", "   在 ")

_FRAME = re.compile(
    r"\s+(?:at|bei|à|en|in|em|в|在) (?:\(wrapper [\w-]{1,40}\) )?(?P<name>[\w.`+<>\[\],|$&*-]+) ?"
    r"\((?:|(?=[^() ]* )[^()]{1,2000}|(?:[A-Z]\w*\.)+[A-Z][\w`]*[\[\]&*]{0,4}"
    r"|(?<=\()(?=[^()]*,)[\w.,`&*\[\]]{1,2000})\)(?: \[0x[0-9a-f]{1,8}\])?"
    r"(?: (?:in|dans|en|na|em|в|位置) .+:(?:\w{1,10} )?\d+\.? ?)?(?:<---)?$"
)
"""Mono has a blank before the arguments and an offset behind; .NET Framework speaks the language of its Windows."""
_HEAD = re.compile(
    r"(?:(?:\[ERROR\] FATAL )?(?i:Unhandled exception)[.:] )?(?P<type>(?:[A-Za-z_]\w*\.)+[A-Z]\w*(?:`\d+)?)"
    r"(?: \(0x[0-9A-F]+\))?(?:: (?P<message>.*))?$"
)
_LAST = re.compile(r"(?<=[|: ])(?P<type>(?:[A-Z]\w*\.)+[A-Z]\w*(?:Exception|Error))(?:: (?P<message>.*))?$")
_MAX_HEAD = 2_000
"""Characters of a line that are searched for it."""
_INNER = " ---> "
_INNER_END = "--- End of inner exception stack trace ---"
_STATE_MACHINE = re.compile(r"<(?P<method>\w+)>[a-z]__[\w|]+(?:\[[^\]]*\])?(?:\.MoveNext|\.<>m__\w+)?")
_CLOSURE_CLASS = re.compile(r"<>c(?:__DisplayClass[\w]+)?\.")
_GENERIC = re.compile(r"`\d+|\[[^\]]*\]")
_NAMESPACES = """
System Microsoft Newtonsoft Npgsql Serilog Castle Autofac NHibernate Dapper MediatR Polly Grpc Azure Amazon Hangfire
Quartz StackExchange MySql Oracle MongoDB RabbitMQ MassTransit AutoMapper FluentValidation Swashbuckle NUnit Xunit
"""
_LIBRARIES = tuple(f"{name}." for name in _NAMESPACES.split())
_HEAD_WITHIN = 12
_MAX_CHAIN = 20


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """The first trace in `lines`; see `Language.read`. The innermost exception and frame are printed first."""
    heads: list[tuple[str, str]] = []
    errors: list[Error] = []
    frames: list[Frame] = []
    start = end = head_at = -1
    for number, line in enumerate(lines):
        if "(" in line and (match := _FRAME.match(line)):
            if start < 0:
                heads = heads if number - head_at <= _HEAD_WITHIN else []
                start = head_at if heads else number
            frames.append(_frame(match))
            end = number + 1
        elif _INNER_END in line and heads:
            errors.append(_error(heads.pop(), frames))
            frames, end = [], number + 1
        elif start < 0 and (found := _heads(line) or _told_last(lines, number)):
            inner = heads and line.lstrip().startswith("---> ")
            heads, head_at = ([*heads, *found], head_at) if inner else (found, number)
        elif start >= 0 and line.strip() and not line.lstrip().startswith("--- End of stack trace"):
            break
    if start < 0:
        return None
    while heads or frames:
        errors.append(_error(heads.pop() if heads else ("", ""), frames))
        frames = []
    return Trace(language=NAME, errors=tuple(errors), start=start, end=end)


def _heads(line: str) -> list[tuple[str, str]]:
    """The exceptions named on this line, the reported one first: .NET Framework puts a whole chain on one."""
    found = (_HEAD.match(part) for part in line.strip().removeprefix("---> ").split(_INNER)[:_MAX_CHAIN])
    return [(match["type"], match["message"] or "") for match in found if match]


def _told_last(lines: Sequence[str], number: int) -> list[tuple[str, str]]:
    """The exception behind other text, as NLog's usual layout and Windows' event log have it right above the calls."""
    line, below = lines[number][:_MAX_HEAD], lines[number + 1] if number + 1 < len(lines) else ""
    if "(" not in below or not (match := _LAST.search(line)) or not _FRAME.match(below):
        return []
    return [(match["type"], match["message"] or "")]


def _error(head: tuple[str, str], frames: list[Frame]) -> Error:
    type_, message = head
    if type_ == "System.AggregateException":
        message = message.partition(" (")[0]  # those of its members follow, each in parentheses, however many there are
    return Error(type=type_, message=message, frames=tuple(reversed(frames)))


def _frame(match: re.Match[str]) -> Frame:
    name = _STATE_MACHINE.sub(r"\g<method>", _CLOSURE_CLASS.sub("", match["name"]))
    name = _GENERIC.sub("", name).replace("+", ".")
    class_, _, method = name.rpartition(".")
    return Frame(class_, method, Origin.LIBRARY if name.startswith(_LIBRARIES) else Origin.APP)
