"""Parse stack traces of PHP, as the interpreter and loggers such as Monolog print them, with chains of exceptions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from relay.traces.frames import Error, Frame, Origin, Trace, line_based
from relay.traces.paths import app_file

NAME = "PHP"
MARKERS: tuple[str, ...] = (" on line ", "Uncaught PHP Exception ", " (line ")
LINES = (r"#0 ",)

_FRAME = re.compile(
    r"\s*#\d+ (?:(?P<path>[^()]+)\(\d+\): |\[internal function\]: "
    r"|(?=[A-Za-z_\\][\w\\]{0,200}(?:[-:>]{2}\w+)?\(|\{main))"
    r"(?P<function>[\w\\]+(?:(?:->|::)[\w{}\\]+)?)?"
)
"""Sanitizers, debuggers and Dart also number their frames, but print an address or more spaces after the number."""
_HEAD = re.compile(
    r"(?:.*?(?:Uncaught (?:exception '?)?|\[object\] \(|Next |[\]|:] (?=[A-Z][\w\\]{0,200}(?:Exception|Error): )))?"
    r"(?P<type>\\?[A-Z]\w*(?:\\{1,2}\w+)*)'?"
    r"(?:: (?P<message>.*?)| with message '(?P<quoted>.*?)'|\(code: \S+\): (?P<coded>.*?))?"
    r"(?: (?:in|at) (?P<path>(?:/|[A-Za-z]:\\).*?)(?::| on line )\d+\)?)?$"
)
_MESSAGE_BEGINS = re.compile(r"Uncaught |\[object\] \(|^Next ")
"""Beginning of a message, which may have several lines."""
_CLASS = re.compile(
    r"(?:Class|Type|Exception(?: class| type)?) ?: \\?(?P<type>[A-Z]\w*(?:\\\w+)+|[A-Z]\w*(?:Exception|Error))$"
)
_MESSAGE = re.compile(r"Message ?: (?P<message>.*)$")
_MESSAGE_AFTER_CLASS = re.compile(r"(?:Message|Exception|Error) ?: (?P<message>.*)$")
_OTHER_LABEL = re.compile(r"(?:File|Line|Code|Trace|Backtrace|Url|URL|URI)\b")
"""Labels that are not the exception's name, in mails that an app composes from the attributes of an exception."""
_PATH = r"(?P<path>(?:/|[A-Za-z]:\\|phar:)[^\"<>|]{0,400}?)"
_WITHOUT_FRAMES = (
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
"""Errors without frames, as PHP, Symfony and Drupal write them: where the error begins in the line, and its pattern.

A string that no line contains (`\\x00`) means the beginning of the line.
"""
_NAMESPACES = """
Illuminate Laravel Symfony Doctrine Twig Monolog GuzzleHttp Psr Composer PHPUnit Zend Laminas Slim Cake Yii Nette
Phalcon CodeIgniter Livewire Filament Spatie League Carbon Ramsey Predis Aws Google Stripe
"""
_LIBRARIES = tuple(f"{name}\\" for name in _NAMESPACES.split())
_LIBRARY_FOLDER = re.compile(r"[\\/](?:vendor|wp-includes|wp-admin)[\\/]")
"""The folder of Composer, and the core code of WordPress, which calls themes and plugins."""
_HEADING = ("Stack trace:", "[stacktrace]")
_PREVIOUS = "[previous exception]"
"""Monolog prints the causes last."""
_HEAD_WITHIN = 8
_MAX_HEAD = 2_000
"""Characters of the line that names the exception. A limit, because the pattern tries several ends of the message."""
_MAX_ERRORS = 50
_FASTCGI = "PHP message: "
"""Prefix of messages of PHP in the log of a web server."""
_MAX_WITHOUT_FRAMES = 20
"""Number of lines that are searched for an error without frames."""


class _Head(NamedTuple):
    """The name, message and file of an exception as printed above its frames, and the line number `at`."""

    at: int
    type: str = ""
    message: str = ""
    path: str = ""


@line_based
def read(lines: Sequence[str]) -> Trace | None:
    """Return the first trace in `lines`; see `Language.read`. PHP prints the innermost exception and frame first."""
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
        return _without_frames(lines)
    return Trace(language=NAME, errors=tuple(errors), start=start, end=end)


def _without_frames(lines: Sequence[str]) -> Trace | None:
    """Return an error that is printed on one line, without frames."""
    candidates = (number for number, line in enumerate(lines) if any(marker in line for marker in MARKERS))
    for number in islice(candidates, _MAX_WITHOUT_FRAMES):
        line = lines[number].rpartition(_FASTCGI)[2][:_MAX_HEAD]
        for begin, pattern in _WITHOUT_FRAMES:
            if match := pattern.match(line, max(line.find(begin), 0)):
                function = match.groupdict().get("function") or ""
                frame = Frame(app_file(match["path"]), function, Origin.APP)
                error = Error(type=match["type"], message=match["message"], frames=(frame,))
                return Trace(language=NAME, errors=(error,), start=number, end=number + 1)
    return None


def _head(lines: Sequence[str], frame_at: int, least: int) -> _Head:
    """Return the name and message of an exception: a few lines above its first frame, not before line `least`."""
    found = _Head(frame_at)
    for number in range(frame_at - 1, max(least - 1, frame_at - 1 - _HEAD_WITHIN), -1):
        line = lines[number][:_MAX_HEAD].strip()
        if line in ("", *_HEADING) or _OTHER_LABEL.match(line):
            continue
        if match := _CLASS.match(line):
            found = _Head(number, match["type"], found.message)
        elif match := (_MESSAGE_AFTER_CLASS if found.type else _MESSAGE).match(line):
            found = _Head(number, found.type, match["message"])
        elif not found.type and (match := _HEAD.match(line)):
            if first := _message_begin(lines, number, least):
                return first._replace(path=match["path"] or "")
            message = match["message"] or match["quoted"] or match["coded"] or found.message
            return _Head(number, _unescaped(match["type"]), message, match["path"] or "")
    return found


def _message_begin(lines: Sequence[str], number: int, least: int) -> _Head | None:
    """Return the first line of a message that ends at line `number`; None if the message has only this line."""
    for at in range(number, max(least - 1, number - _HEAD_WITHIN), -1):
        if _MESSAGE_BEGINS.search(lines[at], 0, _MAX_HEAD):
            match = _HEAD.match(lines[at][:_MAX_HEAD].strip()) if at < number else None
            return _Head(at, _unescaped(match["type"]), match["message"] or match["coded"] or "") if match else None
    return None


def _unescaped(type_: str) -> str:
    """Return the type as written in code: JSON doubles the backslashes between namespaces."""
    return type_.lstrip("\\").replace("\\\\", "\\")


def _frames(lines: Sequence[str], number: int, thrown_in: str) -> tuple[list[Frame], int]:
    """Return the frames from line `number` on, and the number of the line after them.

    PHP prints with each function the file of its caller. The file of the function itself is therefore the one printed
    with the next inner frame. For the innermost frame it is the file that threw.
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
    """Build the error. If all frames are library code, the file that threw is added as the innermost frame.

    That file is named above the frames.
    """
    if head.path and all(frame.origin is Origin.LIBRARY for frame in frames):
        frames = [Frame(app_file(head.path), "", _origin(head.path)), *frames]
    return Error(type=head.type, message=head.message, frames=tuple(reversed(frames)))
