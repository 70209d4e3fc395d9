"""Exceptions as libraries raise them, with the situation that the relay and the client must find for each.

The data is in tests/data/situations. `matching.json` has exceptions that show a situation. `misleading.json` has
exceptions that only look like one. `logged.json` has log messages of both kinds. A case is a chain, oldest first, as a
traceback prints it. The texts are those of the libraries. Only the relevant frames (`file function`) are listed. `VIEW`
stands for the frames from gunicorn to a view of the app; `SITE`, `APP` and `STDLIB` stand for folders.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.support.paths import DATA

FOLDER = DATA / "situations"
FOLDERS = {"SITE": "/srv/shop/venv/lib/python3.11/site-packages", "APP": "/srv/shop/shop"}
WAY_TO_VIEW = (
    "SITE/gunicorn/workers/sync.py handle_request",
    "SITE/flask/app.py dispatch_request",
    "APP/views.py checkout",
)


class At(NamedTuple):
    """A frame. A file of the standard library begins with `STDLIB`."""

    file: str
    function: str


@dataclass(frozen=True, kw_only=True)
class Raised:
    """One exception. `bases` are the base classes of its type; `args` are its arguments, unless it is just its text."""

    kind: str
    """Its type with its module."""
    text: str
    frames: tuple[At, ...]
    bases: tuple[type[BaseException], ...]
    args: tuple[Any, ...] | None
    attributes: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    label: str | None
    about: str
    chain: tuple[Raised, ...]

    def __str__(self) -> str:
        return f"{self.label}, {self.about}"


def _at(text: str) -> At:
    file, function = text.split(" ")
    folder, _, rest = file.partition("/")
    return At(f"{FOLDERS[folder]}/{rest}" if folder in FOLDERS else file, function)


def _raised(given: dict[str, Any]) -> Raised:
    frames = given.get("frames", ["VIEW"])
    frames = [*WAY_TO_VIEW, *frames[1:]] if frames[0] == "VIEW" else frames
    return Raised(
        kind=given["type"],
        text=given["text"],
        frames=tuple(map(_at, frames)),
        bases=tuple(getattr(builtins, name) for name in given.get("bases", ["Exception"])),
        args=tuple(given["args"]) if "args" in given else None,
        attributes=given.get("attributes", {}),
    )


def _cases(name: str) -> tuple[Case, ...]:
    cases = json.loads((FOLDER / name).read_text())
    return tuple(
        Case(label=each.get("label"), about=each["about"], chain=tuple(map(_raised, each["chain"]))) for each in cases
    )


MATCHING, MISLEADING = _cases("matching.json"), _cases("misleading.json")

_logged = json.loads((FOLDER / "logged.json").read_text())
LOGGED_MATCHING: list[tuple[str, str]] = [(message, label) for message, label in _logged["matching"]]
LOGGED_MISLEADING: list[str] = _logged["misleading"]


def printed(chain: Iterable[Raised]) -> str:
    """Return the chain as Python prints its traceback."""
    parts = []
    for each in chain:
        lines = "".join(
            f'  File "{at.file.replace("STDLIB", "/usr/lib/python3.11")}", line 7, in {at.function}\n    do(it)\n'
            for at in each.frames
        )
        last = f"{each.kind}: {each.text}" if each.text else each.kind
        parts.append(f"Traceback (most recent call last):\n{lines}{last}\n")
    return "\nDuring handling of the above exception, another exception occurred:\n\n".join(parts)
