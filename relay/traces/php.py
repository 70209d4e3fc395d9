"""PHP's stack traces: what the interpreter prints, what loggers such as Monolog write, with chains."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.traces.frames import Error, Frame, Origin, Trace, by_lines
from relay.traces.paths import app_file

NAME = "PHP"
MARKS = ("#0 ",)

_FRAME = re.compile(
    r"\s*#\d+ (?:(?P<path>[^()]+)\(\d+\): |\[internal function\]: )?"
    r"(?P<function>[\w\\]+(?:(?:->|::)[\w{}\\]+)?)?"
)
_HEAD = re.compile(
    r"(?:.*?(?:Uncaught (?:exception '?)?|\[object\] \(|Next ))?(?P<type>\\?[A-Z]\w*(?:\\\w+)*)'?"
    r"(?:: (?P<message>.*?)| with message '(?P<quoted>.*?)'|\(code: \S+\): (?P<coded>.*?))?"
    r"(?: (?:in|at) (?P<path>(?:/|[A-Za-z]:\\).*?)(?::| on line )\d+\)?)?$"
)
_NAMESPACES = """
Illuminate Laravel Symfony Doctrine Twig Monolog GuzzleHttp Psr Composer PHPUnit Zend Laminas Slim Cake Yii Nette
Phalcon CodeIgniter Livewire Filament Spatie League Carbon Ramsey Predis Aws Google Stripe
"""
_LIBRARIES = tuple(f"{name}\\" for name in _NAMESPACES.split())
_HEADING = ("Stack trace:", "[stacktrace]")
_HEAD_WITHIN = 8
_MAX_HEAD = 2_000
"""Characters of the line that names the exception: its pattern has to try several ends of the message."""
_MAX_ERRORS = 50


@by_lines
def read(lines: Sequence[str]) -> Trace | None:
    """The first trace in `lines`; see `Language.read`. The innermost exception and call are printed first."""
    errors: list[Error] = []
    start = end = -1
    number = 0
    while number < len(lines) and len(errors) < _MAX_ERRORS:
        if lines[number].lstrip().startswith("#0 ") and _FRAME.match(lines[number]):
            head_at, head = _head(lines, number, max(end, 0))
            frames, end = _frames(lines, number)
            start = head_at if start < 0 else start
            errors.append(_error(head, frames))
            number = end
        else:
            number += 1
    if not errors or not any(error.type or len(error.frames) > 1 for error in errors):
        return None
    return Trace(language=NAME, errors=tuple(errors), start=start, end=end)


def _head(lines: Sequence[str], frame_at: int, least: int) -> tuple[int, re.Match[str] | None]:
    """The line that names the exception, at most a few lines above its first frame, and after the trace before."""
    for number in range(frame_at - 1, max(least - 1, frame_at - 1 - _HEAD_WITHIN), -1):
        if lines[number].strip() in ("", *_HEADING):
            continue
        if match := _HEAD.match(lines[number][:_MAX_HEAD]):
            return number, match
    return frame_at, None


def _frames(lines: Sequence[str], number: int) -> tuple[list[Frame], int]:
    frames: list[Frame] = []
    while number < len(lines) and (match := _FRAME.match(lines[number])):
        if match["function"]:
            frames.append(_frame(match))
        number += 1
    thrown = number < len(lines) and lines[number].startswith("  thrown in ")
    return frames, number + 1 if thrown else number


def _frame(match: re.Match[str]) -> Frame:
    path = match["path"] or ""
    function = match["function"].replace("{closure}", "closure")
    library = not path or "/vendor/" in path.replace("\\", "/") or function.startswith(_LIBRARIES)
    return Frame(app_file(path) if path else "", function, Origin.LIBRARY if library else Origin.APP)


def _error(head: re.Match[str] | None, frames: list[Frame]) -> Error:
    if head is None:
        return Error(type="", message="", frames=tuple(reversed(frames)))
    message = head["message"] or head["quoted"] or head["coded"] or ""
    if not frames and head["path"]:
        frames = [Frame(app_file(head["path"]), "", Origin.APP)]
    return Error(type=head["type"].lstrip("\\"), message=message, frames=tuple(reversed(frames)))
