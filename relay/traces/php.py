"""PHP's stack traces: what the interpreter prints, what loggers such as Monolog write, with chains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from relay.traces.frames import Error, Frame, Origin, Trace, line_based
from relay.traces.paths import app_file

NAME = "PHP"
MARKERS = ("#0 ", " on line ", "Uncaught PHP Exception ", " (line ")

_FRAME = re.compile(
    r"\s*#\d+ (?:(?P<path>[^()]+)\(\d+\): |\[internal function\]: "
    r"|(?=[A-Za-z_\\][\w\\]{0,200}(?:[-:>]{2}\w+)?\(|\{main))"
    r"(?P<function>[\w\\]+(?:(?:->|::)[\w{}\\]+)?)?"
)
"""Sanitizers, debuggers and Dart number their frames alike, with an address or more blanks behind the number."""
_HEAD = re.compile(
    r"(?:.*?(?:Uncaught (?:exception '?)?|\[object\] \(|Next |[\]|:] (?=[A-Z][\w\\]{0,200}(?:Exception|Error): )))?"
    r"(?P<type>\\?[A-Z]\w*(?:\\{1,2}\w+)*)'?"
    r"(?:: (?P<message>.*?)| with message '(?P<quoted>.*?)'|\(code: \S+\): (?P<coded>.*?))?"
    r"(?: (?:in|at) (?P<path>(?:/|[A-Za-z]:\\).*?)(?::| on line )\d+\)?)?$"
)
_NAMED = re.compile(r"Uncaught |\[object\] \(|^Next ")
"""So begins a message, which may go on over several lines."""
_CLASS = re.compile(
    r"(?:Class|Type|Exception(?: class| type)?) ?: \\?(?P<type>[A-Z]\w*(?:\\\w+)+|[A-Z]\w*(?:Exception|Error))$"
)
_MESSAGE = re.compile(r"Message ?: (?P<message>.*)$")
_BESIDE_CLASS = re.compile(r"(?:Message|Exception|Error) ?: (?P<message>.*)$")
_NO_HEAD = re.compile(r"(?:File|Line|Code|Trace|Backtrace|Url|URL|URI)\b")
"""Labels of mails that an app composes by itself from what an exception knows of itself."""
_PATH = r"(?P<path>(?:/|[A-Za-z]:\\|phar:)[^\"<>|]{0,400}?)"
_ALONE = (
    (
        "PHP ",
        re.compile(
            r"(?:PHP )?(?P<type>(?:Fatal|Parse|Recoverable fatal|Catchable fatal) error|Warning|Notice|Deprecated"
            rf"|Strict Standards): {{1,2}}(?P<message>.*) in {_PATH} on line \d+"
        ),
    ),
    (
        "Uncaught PHP Exception ",
        re.compile(rf"Uncaught PHP Exception \\?(?P<type>[\w\\]+): \"(?P<message>.*)\" at {_PATH} line \d+"),
    ),
    (
        "\x00",
        re.compile(
            r"\\?(?P<type>[A-Z]\w*(?:\\\w+)*): (?P<message>.*) in (?P<function>[\w\\]+(?:(?:->|::)\w+)?)\(\)"
            rf" \(line \d+ of {_PATH}\)"
        ),
    ),
)
"""What PHP, Symfony and Drupal write of an error without its calls, and what it begins with where a line does not."""
_NAMESPACES = """
Illuminate Laravel Symfony Doctrine Twig Monolog GuzzleHttp Psr Composer PHPUnit Zend Laminas Slim Cake Yii Nette
Phalcon CodeIgniter Livewire Filament Spatie League Carbon Ramsey Predis Aws Google Stripe
"""
_LIBRARIES = tuple(f"{name}\\" for name in _NAMESPACES.split())
_LIBRARY_FOLDER = re.compile(r"[\\/](?:vendor|wp-includes|wp-admin)[\\/]")
"""Composer's folder, and WordPress' own code around themes and plugins."""
_HEADING = ("Stack trace:", "[stacktrace]")
_PREVIOUS = "[previous exception]"
"""Monolog puts the causes last."""
_HEAD_WITHIN = 8
_MAX_HEAD = 2_000
"""Characters of the line that names the exception: its pattern has to try several ends of the message."""
_MAX_ERRORS = 50
_FASTCGI = "PHP message: "
"""So begins in a web server's log what PHP wrote to it."""
_MAX_ALONE = 20
"""Lines that are looked at for an error without its calls."""


class _Head(NamedTuple):
    """What is said of an exception above its calls, and in which line."""

    at: int
    type: str = ""
    message: str = ""
    path: str = ""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """The first trace in `lines`; see `Language.read`. The innermost exception and call are printed first."""
    errors: list[Error] = []
    start = end = -1
    number = 0
    while number < len(lines) and len(errors) < _MAX_ERRORS:
        if lines[number].lstrip().startswith("#0 ") and _FRAME.match(lines[number]):
            head = _head(lines, number, max(end, 0))
            frames, end = _frames(lines, number, head.path)
            start = head.at if start < 0 else start
            outer_first = lines[head.at].startswith(_PREVIOUS)
            errors.insert(0 if outer_first else len(errors), _error(head, frames))
            number = end
        else:
            number += 1
    if not errors or not any(error.type or len(error.frames) > 1 for error in errors):
        return _alone(lines)
    return Trace(language=NAME, errors=tuple(errors), start=start, end=end)


def _alone(lines: Sequence[str]) -> Trace | None:
    """An error that is told on one line, without its calls."""
    marked = (number for number, line in enumerate(lines) if any(mark in line for mark in MARKERS[1:]))
    for number in islice(marked, _MAX_ALONE):
        line = lines[number].rpartition(_FASTCGI)[2][:_MAX_HEAD]
        for begin, pattern in _ALONE:
            if match := pattern.match(line, max(line.find(begin), 0)):
                function = match.groupdict().get("function") or ""
                frame = Frame(app_file(match["path"]), function, Origin.APP)
                error = Error(type=match["type"], message=match["message"], frames=(frame,))
                return Trace(language=NAME, errors=(error,), start=number, end=number + 1)
    return None


def _head(lines: Sequence[str], frame_at: int, least: int) -> _Head:
    """What names the exception, at most a few lines above its first frame, and after the trace before."""
    found = _Head(frame_at)
    for number in range(frame_at - 1, max(least - 1, frame_at - 1 - _HEAD_WITHIN), -1):
        line = lines[number][:_MAX_HEAD].strip()
        if line in ("", *_HEADING) or _NO_HEAD.match(line):
            continue
        if match := _CLASS.match(line):
            found = _Head(number, match["type"], found.message)
        elif match := (_BESIDE_CLASS if found.type else _MESSAGE).match(line):
            found = _Head(number, found.type, match["message"])
        elif not found.type and (match := _HEAD.match(line)):
            if first := _above(lines, number, least):
                return first._replace(path=match["path"] or "")
            message = match["message"] or match["quoted"] or match["coded"] or found.message
            return _Head(number, _plain(match["type"]), message, match["path"] or "")
    return found


def _above(lines: Sequence[str], number: int, least: int) -> _Head | None:
    """The first of a message's lines, of which line `number` is the last; None where that is the first."""
    for at in range(number, max(least - 1, number - _HEAD_WITHIN), -1):
        if _NAMED.search(lines[at], 0, _MAX_HEAD):
            match = _HEAD.match(lines[at][:_MAX_HEAD].strip()) if at < number else None
            return _Head(at, _plain(match["type"]), match["message"] or match["coded"] or "") if match else None
    return None


def _plain(type_: str) -> str:
    """As in code: JSON doubles what stands between namespaces."""
    return type_.lstrip("\\").replace("\\\\", "\\")


def _frames(lines: Sequence[str], number: int, thrown_in: str) -> tuple[list[Frame], int]:
    """The calls from line `number` on, and the line behind them.

    PHP names beside each function the file that called it; it stands itself in the file that made the next call,
    the innermost one in that which threw.
    """
    frames: list[Frame] = []
    path = thrown_in
    while number < len(lines) and (match := _FRAME.match(lines[number])):
        if match["function"]:
            frames.append(_frame(match["function"], path if frames or thrown_in else match["path"] or ""))
        path = match["path"] or ""
        number += 1
    thrown = number < len(lines) and lines[number].startswith("  thrown in ")
    return frames, number + 1 if thrown else number


def _frame(named: str, path: str) -> Frame:
    function = named.replace("\\\\", "\\").replace("{closure}", "closure")
    origin = Origin.LIBRARY if not path or function.startswith(_LIBRARIES) else _origin(path)
    return Frame(app_file(path) if path else "", function, origin)


def _origin(path: str) -> Origin:
    return Origin.LIBRARY if _LIBRARY_FOLDER.search(path) else Origin.APP


def _error(head: _Head, frames: list[Frame]) -> Error:
    """The file that threw is named above the calls; it tells where no call is in a file of the app."""
    if head.path and all(frame.origin is Origin.LIBRARY for frame in frames):
        frames = [Frame(app_file(head.path), "", _origin(head.path)), *frames]
    return Error(type=head.type, message=head.message, frames=tuple(reversed(frames)))
