"""The mail format of Flask's guide: `Message type:`, `Location:`, `Module:`, `Function:`, `Time:`, `Message:`.

Tolerant: other text may stand before it, of which what it says of the request is kept, it may be indented or quoted as
a whole, and labels may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from relay.model import Form
from relay.parse.layouts import request
from relay.parse.layouts.layout import HEAD_LINES, Layout, parse_level

_DOCUMENTED = re.compile(
    r"(?P<indent>[ \t>]{0,40})(?P<label>Message type|Location|Module|Function|Time|Message)[ \t]{0,40}:(?P<value>.*)",
    re.IGNORECASE,
)
_DOCUMENTED_NAMES = {
    "message type": "level",
    "location": "location",
    "module": "module",
    "function": "function",
    "time": "time",
    "message": "message",
}
MAX_LABEL = 200
"""Characters of a line whose label is kept in memory; with the number of lines this bounds it."""
MAX_KEPT_LABELS = 512


class _Label(NamedTuple):
    """What a line says, and the margin in front of it; `name` is "" for a line without a label."""

    name: str = ""
    margin: str = ""
    value: str = ""


_STOCK = re.compile(
    r"\n?Message type:(?P<level>[A-Za-z \t]*)\nLocation:(?P<location>.*)\nModule:(?P<module>.*)\n"
    r"Function:(?P<function>.*)\nTime:(?P<time>.*)\n\nMessage:[ \t]*\n"
)


def stock(text: str) -> Layout | None:
    """What `read` makes of a text that begins with the format as the guide has it; None for any other."""
    match = _STOCK.match(text)
    if match is None:
        return None
    level, location, module, function, time = match.groups()
    return Layout(
        form=Form.DOCUMENTED,
        text=text[match.end() :].strip("\n"),
        fields={
            "location": location.strip(),
            "module": module.strip(),
            "function": function.strip(),
            "time": time.strip(),
        },
        level=parse_level(level),
    )


def _label(line: str) -> _Label:
    match = _DOCUMENTED.match(line)
    name = _DOCUMENTED_NAMES.get(match["label"].lower(), "") if match else ""
    return _Label(name, match["indent"], match["value"]) if match and name else _Label()


@lru_cache(maxsize=MAX_KEPT_LABELS)
def _kept_label(line: str) -> _Label:
    """The label of a line; kept, since all but a few lines of these are the same in mail after mail."""
    return _label(line)


def read(lines: Sequence[str], below: str | None = None) -> Layout | None:
    """At least `Message type`, or `Location` with one of `Module` and `Function`; other text may stand before.

    `below` is the text under `lines`, None if they are all; where it has to be looked into, the answer is None.
    """
    fields: dict[str, str] = {}
    indent = ""
    first = 0
    for number, line in enumerate(lines):
        if not fields and number >= HEAD_LINES:
            return None
        name, margin, value = _label(line) if len(line) > MAX_LABEL else _kept_label(line)
        if name == "message" and fields:
            rest = [value.lstrip(), *lines[number + 1 :]]
            return _documented_with(fields, rest, below, margin, lines[:first])
        if name and name != "message" and name not in fields:
            first, indent = (first, indent) if fields else (number, margin)
            fields[name] = value.strip()
        elif fields and line.strip(" \t>"):
            return _documented_with(fields, lines[number:], below, indent, lines[:first])
    return _documented_with(fields, [], None, indent, lines[:first]) if below is None else None


def _documented_with(
    fields: dict[str, str], rest: Sequence[str], below: str | None, indent: str, preface: Sequence[str]
) -> Layout | None:
    if ("level" not in fields and not ("location" in fields and len(fields) > 1)) or (indent and below is not None):
        return None
    lines = [_outdented(line, indent) for line in rest] if indent else [*rest]
    text = "\n".join(lines if below is None else [*lines, below]).strip("\n")
    level = parse_level(fields.pop("level", ""))
    return Layout(form=Form.DOCUMENTED, text=text, fields=fields, level=level, request=request.read(preface))


def _outdented(line: str, indent: str) -> str:
    """The line without the margin that the labels have, too."""
    size = 0
    while size < len(indent) and size < len(line) and line[size] in " \t>":
        size += 1
    return line[size:]
