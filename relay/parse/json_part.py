"""What the JSON part of our client's mail says, read with suspicion (mail → enclosure → parse).

Anybody may send one, so nothing in it is believed that the text contradicts: it only fills in what the text does not
say, and each use checks it against the text. Guarantee: any text gives an Enclosure, in time linear in at most
`mime.body.MAX_JSON` characters; every text of it is bounded and clean, and all but `template` and `trace` are one line.
Its form is documented in `app_client/delivery/json_part.py`.
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

_PLAIN = ("environment", "release", "host", "module", "function", "thread")
_UNQUALIFIED = ("", "builtins", "__main__")
"""Modules that Python leaves out where it prints a type."""
_LINKS = {
    "cause": "\nThe above exception was the direct cause of the following exception:\n",
    "context": "\nDuring handling of the above exception, another exception occurred:\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPart:
    """What was understood of it; empty where there was nothing, or nothing that makes sense."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """Named like those of Report, without those that headers tell (app, logger, level, counts)."""
    request: Facts = ()
    template: str = ""
    """The log message before its arguments were put in."""
    arguments: Sequence[str] | Mapping[str, str] = ()
    """The types of its arguments, by name where they have names."""
    trace: str = ""
    """The chain of exceptions as Python would print it, without lines of source."""
    app_package: str = ""
    """Which installed package the app itself says to be."""


NOTHING = JsonPart()


def read(text: str) -> JsonPart:
    """Understand the JSON `text`; `NOTHING` for what is none, or is of another version."""
    try:
        content = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(content, dict) or type(version := content.get("version")) is not int or version != VERSION:
        return NOTHING
    errors = _objects(content, "exceptions", MAX_ERRORS)
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
    found = {name: _text(content, name, _MAX_NAME) for name in _PLAIN}
    process = _object(content, "process")
    number, name = _number(process.get("id")), _text(process, "name", _MAX_NAME)
    found["process"] = " ".join(filter(None, (number, f"({name})" if name not in ("", "MainProcess") else "")))
    found["location"] = _text(content, "location", _MAX_PATH)
    return {name: value for name, value in found.items() if value}


def _request(told: Mapping[str, Any]) -> Facts:
    found = {label: _text(told, name, 2 * _MAX_PATH) for name, label in LABELS.items()}
    found["Request"] = f"{_text(told, 'method', 20)} {found['Request']}".strip()
    return facts(found)


def _arguments(told: object) -> tuple[str, ...] | dict[str, str]:
    if isinstance(told, dict):
        named = list(told.items())[:MAX_ARGUMENTS]
        return {str(name): kind for name, kind in named if isinstance(kind, str)}
    given = told[:MAX_ARGUMENTS] if isinstance(told, list) else []
    return tuple(kind if isinstance(kind, str) else "" for kind in given)


# --- The exceptions ---------------------------------------------------------------------------------------------------


def _trace(errors: Sequence[Mapping[str, Any]]) -> str:
    """Oldest cause first, as Python prints them; "" where the exception that was logged was never raised."""
    if not errors or not _objects(errors[0], "frames", 1):
        return ""
    pieces: list[str] = []
    for error in reversed(errors):
        pieces += [*_stack(error), _last_line(error)]
        if error is not errors[0]:
            pieces.append(_LINKS["cause" if error.get("link") == "cause" else "context"])
    return "\n".join(pieces)


def _stack(error: Mapping[str, Any]) -> Iterator[str]:
    frames = _objects(error, "frames", MAX_FRAMES)
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
        for frame in _objects(error, "frames", MAX_FRAMES):
            if frame.get("in_app") is True and (package := python_place(_text(frame, "file", _MAX_PATH)).package):
                return package
    return ""


# --- Values of the right type -----------------------------------------------------------------------------------------


def _text(told: Mapping[str, Any], name: str, limit: int) -> str:
    value = told.get(name)
    return one_line(value, limit) if isinstance(value, str) else ""


def _lines(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return clean(value[:MAX_MESSAGE]).strip() if isinstance(value, str) else ""


def _number(value: object) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_NUMBER
    return str(value) if fits else ""


def _object(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = told.get(name)
    return value if isinstance(value, dict) else {}


def _objects(told: Mapping[str, Any], name: str, most: int) -> list[Mapping[str, Any]]:
    value = told.get(name)
    return [each for each in value[:most] if isinstance(each, dict)] if isinstance(value, list) else []
