"""Parse stack traces of .NET, .NET Framework and Mono, with and without file names.

Supported: inner exceptions; async methods and lambdas, which get the name of the method that contains them; the words
of .NET Framework in the languages of Windows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import INDENTED, Error, Frame, Origin, Trace, line_based

NAME = ".NET"
_AT_WORDS = ("at", "bei", "à", "en", "in", "em", "в", "在")
_DISTINCT_AT_WORDS = (
    *("於", "場所", "위치:", "konum:", "w", "v", "vid", "ved", "bij", "kohteessa", "σε", "ב-", "عند"),
    "a következő helyen:",
)
MARKERS: tuple[str, ...] = ()
LINES = (INDENTED + r"at (?<=  at )", rf"{INDENTED}(?<=   )(?:{'|'.join((*_AT_WORDS[1:], *_DISTINCT_AT_WORDS))}) ")
"""The resource `Word_At` of .NET Framework, in all its languages. A frame begins with three spaces and this word."""

_IN = "in|dans|en|na|em|в|位置|於|場所|파일|w|v|i|tiedostossa|στο|ב-|في|hely:"
_FRAME = re.compile(
    rf"(\s+)(?:{'|'.join(_AT_WORDS)}|(?:{'|'.join(_DISTINCT_AT_WORDS)})(?= [\w`<>+]*\.)) "
    r"(?:\(wrapper [\w-]{1,40}\) )?(?P<name>[\w.`+<>\[\],|$&*-]+) ?"
    r"\((?:|(?=[^() ]* )[^()]{1,2000}|(?:[A-Z]\w*\.)+[A-Z][\w`]*[\[\]&*]{0,4}"
    r"|(?<=\()(?=[^()]*,)[\w.,`&*\[\]]{1,2000})\)(?: \[0x[0-9a-f]{1,8}\])?"
    rf"(?: (?:{_IN}) .+[:,] ?(?:\w{{1,10}}:? )?\d+\.? ?| .+ içinde: sat\u0131r \d+)?(?:<---)?$"
)
"""Mono prints a space before the arguments and an offset after them. .NET Framework uses the language of Windows:
its resources `Word_At` and `StackTrace_InFileLineNumber`. A word that is common in prose needs a class behind it.
"""
_HEAD = re.compile(
    r"(?:(?:\[ERROR\] FATAL )?(?i:Unhandled exception)[.:] )?(?P<type>(?:[A-Za-z_]\w*\.)+[A-Z]\w*(?:`\d+)?)"
    r"(?: \(0x[0-9A-F]+\))?(?:: (?P<message>.*))?$"
)
_HEAD_ABOVE = re.compile(r"(?<=[|: ])(?P<type>(?:[A-Z]\w*\.)+[A-Z]\w*(?:Exception|Error))(?:: (?P<message>.*))?$")
_MAX_HEAD = 2_000
"""Characters of a line that are searched for the exception."""
_INNER = " ---> "
_INNER_ENDS = (
    "End of inner exception stack trace",
    "Ende der internen Ausnahmestapelüberwachung",
    "Fin de la trace de la pile d'exception interne",
    "Fin del seguimiento de la pila de la excepción interna",
    "Fine della traccia dello stack dell'eccezione interna",
    "Fim do rastreamento de pilha de exceção interna",
    "Конец трассировки внутреннего стека исключений",
    "内部异常堆栈跟踪的结尾",
    "內部例外狀況堆疊追蹤的結尾",
    "内部例外スタック トレースの終わり",
    "내부 예외 스택 추적의 끝",
)
"""The resource `Exception_EndOfInnerExceptionStack`: the frames of an inner exception end here."""
_RETHROWN = (
    "End of stack trace from previous location",
    "Ende der Stapelüberwachung vom vorhergehenden Ort",
    "Fin de la trace de la pile à partir de l'emplacement précédent",
    "Fin del seguimiento de la pila de la ubicación anterior",
    "Fin del seguimiento de la pila del lugar anterior",
    "Конец трассировка стека из предыдущего расположения",
    "引发异常的上一位置中堆栈跟踪的末尾",
    "先前擲回例外狀況之位置中的堆疊追蹤結尾",
    "直前に例外がスローされた場所からのスタック トレースの終わり",
    "예외가 throw된 이전 위치의 스택 추적 끝",
    "Koniec śladu stosu z poprzedniej lokalizacji",
)
"""The resource `Exception_EndStackTraceFromPreviousThrow`: the same exception was thrown again."""
_BETWEEN = re.compile(r"(?P<indent>\s*)--- ?(?P<text>\S.{3,200}?) ?---\s*$")
"""Any such line between frames. In a language that is not listed above, the indentation tells which of both it is."""
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
_INDENT = 3
"""Spaces before a frame and before the end of an inner exception."""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. .NET prints the innermost exception and frame first."""
    # A stack of names: the innermost exception is named last, but its frames are printed first.
    heads: list[tuple[str, str]] = []
    errors: list[Error] = []
    frames: list[Frame] = []
    start = end = head_at = -1
    indent = _INDENT
    for number, line in enumerate(lines):
        if "(" in line and (match := _FRAME.match(line)):
            if start < 0:
                heads = heads if number - head_at <= _HEAD_WITHIN else []
                start = head_at if heads else number
            frames.append(_frame(match))
            indent, end = len(match[1]), number + 1
        elif heads and _ends_inner(lines, number, indent):
            errors.append(_error(heads.pop(), frames))
            frames, end = [], number + 1
        elif start < 0 and (found := _heads(line) or _head_above(lines, number)):
            inner = heads and line.lstrip().startswith("---> ")
            heads, head_at = ([*heads, *found], head_at) if inner else (found, number)
        elif start >= 0 and line.strip() and not _is_rethrown(line, indent):
            break
    if start < 0:
        return None
    while heads or frames:
        errors.append(_error(heads.pop() if heads else ("", ""), frames))
        frames = []
    return Trace(language=NAME, errors=tuple(errors), start=start, end=end)


def _ends_inner(lines: Sequence[str], number: int, indent: int) -> bool:
    """Return True if the frames of an inner exception end at this line. `indent`: characters before its last frame."""
    line = lines[number]
    if "---" not in line:
        return False
    if any(text in line for text in _INNER_ENDS):
        return True
    if (match := _BETWEEN.match(line)) is None:
        return False
    below = lines[number + 1] if number + 1 < len(lines) else ""
    between = _FRAME.match(below) or _BETWEEN.match(below)
    return bool(between) and len(match["indent"]) >= indent and not match["text"].startswith(_RETHROWN)


def _is_rethrown(line: str, indent: int) -> bool:
    """Return True for the line between the frames of an exception that was caught and thrown again."""
    match = _BETWEEN.match(line)
    return match is not None and (match["text"].startswith(_RETHROWN) or len(match["indent"]) < indent)


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
