"""The small JSON part of a mail: a snapshot written out, in the sending thread.

    {"version": 1,
     "app", "environment", "release", "host", "logger", "level", "location", "module", "function", "thread",
     "process": {"id", "name"},
     "message": {"template", "arguments": types in order, or by name},
     "exceptions": [{"type", "module", "message", "link": "cause" or "context", "members": of a group,
                     "frames": [{"file", "line", "function", "module", "in_app"}],
                     "left_out": frames that had no room, "after": so many of those above}],
     "request": {"method", "url", "endpoint", "remote_addr", "user_agent", "request_id", "user_id"},
     "left_out": {"exceptions", "arguments"}}

The exception that was logged comes first, then what it came from; of frames the outermost call is the first. What is
not known is left out. Guarantee: JSON in ASCII of at most `MAX_SIZE` bytes; a text that was cut ends with "…", and what
was left out is counted. No value of an argument is in it, and what is assigned to a secret name in a text is masked.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from app_client.capture.frames import place_of
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


class _Room(NamedTuple):
    errors: int
    frames: int
    """Of each error."""
    arguments: int
    text: int
    """Characters of each text."""


_ROOMS = (
    _Room(MAX_ERRORS, MAX_OUTER + MAX_INNER, MAX_ARGUMENTS, MAX_TEXT - 1),
    _Room(MAX_ERRORS, 20, MAX_ARGUMENTS, 300),
    _Room(4, 10, 10, 100),
    _Room(1, 0, 0, 40),
)
"""Tried in this order; the last one always fits."""


def write(snapshot: Snapshot, origin: Mapping[str, str], package: str = "") -> str:
    """The JSON. `origin` holds `App`, `Host` and the like; `package` is the app's own, if it is installed as one."""
    for room in _ROOMS:
        content = _Writer(room, package).content(snapshot, origin)
        text = json.dumps(content, separators=(",\n", ": "))
        if len(text) <= MAX_SIZE:
            break
    return text


class _Writer:
    """Writes into a certain room."""

    def __init__(self, room: _Room, package: str) -> None:
        self._room = room
        self._package = package

    def content(self, snapshot: Snapshot, origin: Mapping[str, str]) -> dict[str, Any]:
        process, process_name = snapshot.process
        said: dict[str, Any] = {
            **{name.lower(): self._text(value) for name, value in origin.items()},
            "location": self._text(snapshot.location),
            "module": self._text(snapshot.module),
            "function": self._text(snapshot.function),
            "process": _known({"id": process, "name": self._text(process_name)}),
            "thread": self._text(snapshot.thread),
            "message": self._message(snapshot),
            "exceptions": [self._failure(each) for each in snapshot.failures[: self._room.errors]],
            "request": {name: self._text(value) for name, value in snapshot.request.items()},
            "left_out": _known(
                {
                    "exceptions": snapshot.failures_left_out + max(0, len(snapshot.failures) - self._room.errors),
                    "arguments": snapshot.arguments_left_out + max(0, len(snapshot.arguments) - self._room.arguments),
                }
            ),
        }
        return {"version": VERSION} | _known(said)

    def _message(self, snapshot: Snapshot) -> dict[str, Any]:
        types, most = snapshot.arguments, self._room.arguments
        told: object
        if isinstance(types, Mapping):
            told = {self._text(name): self._text(kind) for name, kind in islice(types.items(), most)}
        else:
            told = [self._text(kind) for kind in types[:most]]
        return _known({"template": self._text(mask_text(snapshot.template)), "arguments": told})

    def _failure(self, failure: Failure) -> dict[str, Any]:
        outer = failure.frames[: self._room.frames // 4]
        room = self._room.frames - len(outer)
        inner = failure.frames[max(len(outer), len(failure.frames) - room) :] if room else ()
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
        """Told by its file, and by its module for an app that is installed as a package."""
        if self._package and frame.module.partition(".")[0] == self._package:
            return True
        return place_of(frame.code.co_filename, frame.code.co_name).package == "app"

    def _text(self, text: str) -> str:
        return text if len(text) <= self._room.text else text[: self._room.text - 1] + "…"


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
