"""The layout of Flask's guide: `Message type:`, `Location:`, `Module:`, `Function:`, `Time:`, `Message:`.

The parser is tolerant. Other text may precede the labels; its lines about the request are kept. The whole mail may be
indented or quoted, and labels may be missing.
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
"""Characters of the longest line whose label is memoized. With `MAX_MEMOIZED_LABELS`, this bounds the memory."""
MAX_MEMOIZED_LABELS = 512


class _Label(NamedTuple):
    """The label of a line, its margin and its value; `name` is "" for a line without a label."""

    name: str = ""
    margin: str = ""
    value: str = ""


_STANDARD = re.compile(
    r"\n?Message type:(?P<level>[A-Za-z \t]*)\nLocation:(?P<location>.*)\nModule:(?P<module>.*)\n"
    r"Function:(?P<function>.*)\nTime:(?P<time>.*)\n\nMessage:[ \t]*\n"
)


def read_standard(text: str) -> Layout | None:
    """Return the same as `read`, but faster, for a text in exactly the format of the guide; None for any other text."""
    match = _STANDARD.match(text)
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


@lru_cache(maxsize=MAX_MEMOIZED_LABELS)
def _memoized_label(line: str) -> _Label:
    """Return the label of a line. Memoized, because most of these lines repeat from mail to mail."""
    return _label(line)


def read(lines: Sequence[str], below: str | None = None) -> Layout | None:
    """Return the layout if the labels include `Message type`, or `Location` and one more; else None.

    Other text may precede the labels. `below` is the text after `lines`, or None if `lines` are the whole text. If the
    result depends on `below`, return None.
    """
    fields: dict[str, str] = {}
    indent = ""
    first = 0
    for number, line in enumerate(lines):
        if not fields and number >= HEAD_LINES:
            return None
        name, margin, value = _label(line) if len(line) > MAX_LABEL else _memoized_label(line)
        if name == "message" and fields:
            rest = [value.lstrip(), *lines[number + 1 :]]
            return _layout(fields, rest, below, margin, lines[:first])
        if name and name != "message" and name not in fields:
            first, indent = (first, indent) if fields else (number, margin)
            fields[name] = value.strip()
        elif fields and line.strip(" \t>"):
            return _layout(fields, lines[number:], below, indent, lines[:first])
    return _layout(fields, [], None, indent, lines[:first]) if below is None else None


def _layout(
    fields: dict[str, str], rest: Sequence[str], below: str | None, indent: str, preface: Sequence[str]
) -> Layout | None:
    if ("level" not in fields and not ("location" in fields and len(fields) > 1)) or (indent and below is not None):
        return None
    lines = [_dedented(line, indent) for line in rest] if indent else [*rest]
    text = "\n".join(lines if below is None else [*lines, below]).strip("\n")
    level = parse_level(fields.pop("level", ""))
    return Layout(form=Form.DOCUMENTED, text=text, fields=fields, level=level, request=request.read(preface))


def _dedented(line: str, indent: str) -> str:
    """Return the line without the margin of the labels."""
    size = 0
    while size < len(indent) and size < len(line) and line[size] in " \t>":
        size += 1
    return line[size:]
