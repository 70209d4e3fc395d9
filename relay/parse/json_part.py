"""Parse and validate the JSON part of our client's mail (mime → json_part → report).

Any sender can attach such a part, so it is untrusted input. It only adds what the text of the mail does not contain,
and each use checks it against the text. The format is documented in `app_client/delivery/json_part.py`.

Guarantee: any text gives a JsonPart, in time linear in at most `mime.body.MAX_JSON` characters. All its texts are
bounded and free of control characters, and all except `template` and `trace` are one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relay.parse.layouts.request import LABELS, Facts, facts
from relay.parse.mime import clean, one_line
from relay.traces.paths import python_place

VERSION = 1

MAX_ERRORS = 8
MAX_FRAMES = 60
MAX_ARGUMENTS = 50
MAX_MESSAGE = 1_000
_MAX_PATH = 400
_MAX_NAME = 200
_MAX_NUMBER = 2**63

_TEXT_FIELDS = ("environment", "release", "host", "module", "function", "thread")
_UNQUALIFIED = ("", "builtins", "__main__")
"""Modules that Python does not print before the name of a type."""
_LINKS = {
    "cause": "\nThe above exception was the direct cause of the following exception:\n",
    "context": "\nDuring handling of the above exception, another exception occurred:\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPart:
    """The valid content of the part; every field is empty if the part is missing or invalid."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """Named like the fields of Report, without those that headers contain (app, logger, level, counts)."""
    request: Facts = ()
    template: str = ""
    """The log message before its arguments were inserted."""
    arguments: Sequence[str] | Mapping[str, str] = ()
    """The types of its arguments, by position, or by name if they have names."""
    trace: str = ""
    """The chain of exceptions as Python would print it, without source lines."""
    app_package: str = ""
    """The installed package that the app declares as its own."""


EMPTY = JsonPart()


def read(text: str) -> JsonPart:
    """Parse the JSON `text`. Return `EMPTY` if it is not valid JSON or has another version."""
    try:
        content = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return EMPTY
    if not isinstance(content, dict) or type(version := content.get("version")) is not int or version != VERSION:
        return EMPTY
    errors = _object_list(content, "exceptions", MAX_ERRORS)
    message = _object(content, "message")
    return JsonPart(
        fields=_fields(content),
        request=_request(_object(content, "request")),
        template=_lines(message, "template"),
        arguments=_arguments(message.get("arguments")),
        trace=_trace(errors),
        app_package=_app_package(errors),
    )


def _fields(content: Mapping[str, Any]) -> dict[str, str]:
    found = {name: _text(content, name, _MAX_NAME) for name in _TEXT_FIELDS}
    process = _object(content, "process")
    number, name = _number(process.get("id")), _text(process, "name", _MAX_NAME)
    found["process"] = " ".join(filter(None, (number, f"({name})" if name not in ("", "MainProcess") else "")))
    found["location"] = _text(content, "location", _MAX_PATH)
    return {name: value for name, value in found.items() if value}


def _request(source: Mapping[str, Any]) -> Facts:
    found = {label: _text(source, name, 2 * _MAX_PATH) for name, label in LABELS.items()}
    found["Request"] = f"{_text(source, 'method', 20)} {found['Request']}".strip()
    return facts(found)


def _arguments(source: object) -> tuple[str, ...] | dict[str, str]:
    if isinstance(source, dict):
        named = list(source.items())[:MAX_ARGUMENTS]
        return {str(name): kind for name, kind in named if isinstance(kind, str)}
    given = source[:MAX_ARGUMENTS] if isinstance(source, list) else []
    return tuple(kind if isinstance(kind, str) else "" for kind in given)


# --- The exceptions ---------------------------------------------------------------------------------------------------


def _trace(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return the chain as Python prints it, oldest cause first; "" if the logged exception was never raised."""
    if not errors or not _object_list(errors[0], "frames", 1):
        return ""
    pieces: list[str] = []
    for error in reversed(errors):
        pieces += [*_stack(error), _last_line(error)]
        if error is not errors[0]:
            pieces.append(_LINKS["cause" if error.get("link") == "cause" else "context"])
    return "\n".join(pieces)


def _stack(error: Mapping[str, Any]) -> Iterator[str]:
    frames = _object_list(error, "frames", MAX_FRAMES)
    if frames:
        yield "Traceback (most recent call last):"
    for frame in frames:
        file, function = _text(frame, "file", _MAX_PATH).replace('"', "'"), _text(frame, "function", _MAX_NAME)
        yield f'  File "{file}", line {_number(frame.get("line")) or 0}, in {function}'


def _last_line(error: Mapping[str, Any]) -> str:
    module, name = _text(error, "module", _MAX_NAME), _text(error, "type", _MAX_NAME)
    type_ = name if module in _UNQUALIFIED else f"{module}.{name}"
    text = _lines(error, "message")
    return f"{type_}: {text}" if text else type_


def _app_package(errors: Sequence[Mapping[str, Any]]) -> str:
    for error in errors:
        for frame in _object_list(error, "frames", MAX_FRAMES):
            if frame.get("in_app") is True and (package := python_place(_text(frame, "file", _MAX_PATH)).package):
                return package
    return ""


# --- Values of the right type -----------------------------------------------------------------------------------------


def _text(source: Mapping[str, Any], name: str, limit: int) -> str:
    value = source.get(name)
    return one_line(value, limit) if isinstance(value, str) else ""


def _lines(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name)
    return clean(value[:MAX_MESSAGE]).strip() if isinstance(value, str) else ""


def _number(value: object) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_NUMBER
    return str(value) if fits else ""


def _object(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def _object_list(source: Mapping[str, Any], name: str, limit: int) -> list[Mapping[str, Any]]:
    value = source.get(name)
    return [each for each in value[:limit] if isinstance(each, dict)] if isinstance(value, list) else []
