"""Parse stack traces of .NET, .NET Framework and Mono, with and without file names.

Supported: inner exceptions; async methods and lambdas, which get the name of the method that contains them.
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
"""Mono prints a space before the arguments and an offset after them. .NET Framework uses the language of Windows."""
_HEAD = re.compile(
    r"(?:(?:\[ERROR\] FATAL )?(?i:Unhandled exception)[.:] )?(?P<type>(?:[A-Za-z_]\w*\.)+[A-Z]\w*(?:`\d+)?)"
    r"(?: \(0x[0-9A-F]+\))?(?:: (?P<message>.*))?$"
)
_HEAD_ABOVE = re.compile(r"(?<=[|: ])(?P<type>(?:[A-Z]\w*\.)+[A-Z]\w*(?:Exception|Error))(?:: (?P<message>.*))?$")
_MAX_HEAD = 2_000
"""Characters of a line that are searched for the exception."""
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
    """Return the first trace in `lines`; see `Language.read`. .NET prints the innermost exception and frame first."""
    # A stack of names: the innermost exception is named last, but its frames are printed first.
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
        elif start < 0 and (found := _heads(line) or _head_above(lines, number)):
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
    """Return the exceptions named on this line, the reported one first. .NET Framework prints a chain on one line."""
    found = (_HEAD.match(part) for part in line.strip().removeprefix("---> ").split(_INNER)[:_MAX_CHAIN])
    return [(match["type"], match["message"] or "") for match in found if match]


def _head_above(lines: Sequence[str], number: int) -> list[tuple[str, str]]:
    """Return the exception at the end of a line with other text, above a frame (NLog, Windows event log)."""
    line, below = lines[number][:_MAX_HEAD], lines[number + 1] if number + 1 < len(lines) else ""
    if "(" not in below or not (match := _HEAD_ABOVE.search(line)) or not _FRAME.match(below):
        return []
    return [(match["type"], match["message"] or "")]


def _error(head: tuple[str, str], frames: list[Frame]) -> Error:
    type_, message = head
    if type_ == "System.AggregateException":
        message = message.partition(" (")[0]  # the messages of its members follow, each in parentheses
    return Error(type=type_, message=message, frames=tuple(reversed(frames)))


def _frame(match: re.Match[str]) -> Frame:
    name = _STATE_MACHINE.sub(r"\g<method>", _CLOSURE_CLASS.sub("", match["name"]))
    name = _GENERIC.sub("", name).replace("+", ".")
    class_, _, method = name.rpartition(".")
    return Frame(class_, method, Origin.LIBRARY if name.startswith(_LIBRARIES) else Origin.APP)
