"""The JSON part of a mail: formats a `Snapshot`, in the sending thread.

    {"version": 1,
     "app", "environment", "release", "host", "logger", "level", "location", "module", "function", "thread",
     "process": {"id", "name"},
     "message": {"template", "arguments": types in order, or by name},
     "exceptions": [{"type", "module", "message", "link": "cause" or "context", "members": of a group,
                     "frames": [{"file", "line", "function", "module", "in_app"}],
                     "left_out": number of omitted frames, "after": number of frames before the gap}],
     "request": {"method", "url", "endpoint", "remote_addr", "user_agent", "request_id", "user_id"},
     "left_out": {"exceptions", "arguments"}}

The logged exception comes first, then its causes and contexts. The outermost frame comes first. Unknown values are left
out. Guarantees: ASCII JSON of at most `MAX_SIZE` bytes; a truncated text ends with "…", and omitted items are counted.
It contains no argument values, and values that a text assigns to secret names are masked.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from app_client.capture.frames import code_location
from app_client.capture.snapshot import (
    MAX_ARGUMENTS,
    MAX_ERRORS,
    MAX_INNER,
    MAX_OUTER,
    MAX_TEXT,
    Failure,
    Frame,
    Snapshot,
)
from app_client.formatting.masking import mask_text

VERSION = 1
TYPE = "application/vnd.error-mail+json"
MAX_SIZE = 16 * 1024


class _Limits(NamedTuple):
    errors: int
    frames: int
    """Frames of each error."""
    arguments: int
    text: int
    """Characters of each text."""


_LIMITS = (
    _Limits(MAX_ERRORS, MAX_OUTER + MAX_INNER, MAX_ARGUMENTS, MAX_TEXT - 1),
    _Limits(MAX_ERRORS, 20, MAX_ARGUMENTS, 300),
    _Limits(4, 10, 10, 100),
    _Limits(1, 0, 0, 40),
)
"""Limits from generous to strict. They are applied in this order until the JSON fits; with the last it always does."""


def write(snapshot: Snapshot, origin: Mapping[str, str], package: str = "") -> str:
    """Return the JSON text. `origin` holds `App`, `Host` and so on; `package` is the app's package, if installed."""
    for limits in _LIMITS:
        content = _Writer(limits, package).content(snapshot, origin)
        text = json.dumps(content, separators=(",\n", ": "))
        if len(text) <= MAX_SIZE:
            break
    return text


class _Writer:
    """Writes a snapshot within given limits."""

    def __init__(self, limits: _Limits, package: str) -> None:
        self._limits = limits
        self._package = package

    def content(self, snapshot: Snapshot, origin: Mapping[str, str]) -> dict[str, Any]:
        process, process_name = snapshot.process
        values: dict[str, Any] = {
            **{name.lower(): self._text(value) for name, value in origin.items()},
            "location": self._text(snapshot.location),
            "module": self._text(snapshot.module),
            "function": self._text(snapshot.function),
            "process": _known({"id": process, "name": self._text(process_name)}),
            "thread": self._text(snapshot.thread),
            "message": self._message(snapshot),
            "exceptions": [self._failure(each) for each in snapshot.failures[: self._limits.errors]],
            "request": {name: self._text(value) for name, value in snapshot.request.items()},
            "left_out": _known(
                {
                    "exceptions": snapshot.failures_left_out + max(0, len(snapshot.failures) - self._limits.errors),
                    "arguments": snapshot.arguments_left_out + max(0, len(snapshot.arguments) - self._limits.arguments),
                }
            ),
        }
        return {"version": VERSION} | _known(values)

    def _message(self, snapshot: Snapshot) -> dict[str, Any]:
        types, most = snapshot.arguments, self._limits.arguments
        arguments: object
        if isinstance(types, Mapping):
            arguments = {self._text(name): self._text(kind) for name, kind in islice(types.items(), most)}
        else:
            arguments = [self._text(kind) for kind in types[:most]]
        return _known({"template": self._text(mask_text(snapshot.template)), "arguments": arguments})

    def _failure(self, failure: Failure) -> dict[str, Any]:
        outer = failure.frames[: self._limits.frames // 4]
        most_inner = self._limits.frames - len(outer)
        inner = failure.frames[max(len(outer), len(failure.frames) - most_inner) :] if most_inner else ()
        left_out = failure.left_out + len(failure.frames) - len(outer) - len(inner)
        return _known(
            {
                "type": self._text(failure.type),
                "module": self._text(failure.module),
                "message": self._text(mask_text(failure.message)),
                "link": failure.link,
                "members": failure.members,
                "frames": self._frames((*outer, *inner)),
                "left_out": left_out,
                "after": len(outer) if left_out else 0,
            }
        )

    def _frames(self, frames: Sequence[Frame]) -> list[dict[str, Any]]:
        return [
            {
                "file": self._text(frame.code.co_filename),
                "line": frame.line,
                "function": self._text(frame.code.co_name),
                "module": self._text(frame.module),
                "in_app": self._is_own(frame),
            }
            for frame in frames
        ]

    def _is_own(self, frame: Frame) -> bool:
        """Return True for code of the app, by its file, or by its module if the app is installed as a package."""
        if self._package and frame.module.partition(".")[0] == self._package:
            return True
        return code_location(frame.code.co_filename, frame.code.co_name).package == "app"

    def _text(self, text: str) -> str:
        return text if len(text) <= self._limits.text else text[: self._limits.text - 1] + "…"


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
