"""The mail format of Flask's guide: `Message type:`, `Location:`, `Module:`, `Function:`, `Time:`, `Message:`.

Tolerant: other text may stand before it, of which what it says of the request is kept, it may be indented or quoted as
a whole, and labels may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.forms import request
from relay.forms.layout import HEAD_LINES, Layout, level_named
from relay.model import Form

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
}


def read(lines: Sequence[str]) -> Layout | None:
    """At least `Message type`, or `Location` with one of `Module` and `Function`; other text may stand before."""
    fields: dict[str, str] = {}
    indent = ""
    first = 0
    for number, line in enumerate(lines):
        if not fields and number >= HEAD_LINES:
            return None
        match = _DOCUMENTED.match(line)
        label = match["label"].lower() if match else ""
        if match and label == "message" and fields:
            rest = [match["value"].lstrip(), *lines[number + 1 :]]
            return _documented_with(fields, rest, match["indent"], lines[:first])
        if match and label in _DOCUMENTED_NAMES and _DOCUMENTED_NAMES[label] not in fields:
            first, indent = (first, indent) if fields else (number, match["indent"])
            fields[_DOCUMENTED_NAMES[label]] = match["value"].strip()
        elif fields and line.strip(" \t>"):
            return _documented_with(fields, lines[number:], indent, lines[:first])
    return _documented_with(fields, [], indent, lines[:first])


def _documented_with(fields: dict[str, str], rest: Sequence[str], indent: str, preface: Sequence[str]) -> Layout | None:
    if "level" not in fields and not ("location" in fields and len(fields) > 1):
        return None
    text = "\n".join([_outdented(line, indent) for line in rest] if indent else rest).strip("\n")
    level = level_named(fields.pop("level", ""))
    return Layout(form=Form.DOCUMENTED, text=text, fields=fields, level=level, request=request.read(preface))


def _outdented(line: str, indent: str) -> str:
    """The line without the margin that the labels have, too."""
    size = 0
    while size < len(indent) and size < len(line) and line[size] in " \t>":
        size += 1
    return line[size:]
