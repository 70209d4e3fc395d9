"""The layout of custom formatters: a block of labels such as `Logger:` or `PID:`, a blank line, then the message."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relay.model import Form
from relay.parse.layouts import logline, request
from relay.parse.layouts.layout import HEAD_LINES, Layout, parse_level

_LABEL = re.compile(r"[ \t*-]{0,8}(?P<label>[A-Za-z][A-Za-z _-]{1,30}?)[ \t]{0,20}[:=](?:[ \t]+(?P<value>.*))?$")
_LABELS = {
    "logger": "logger",
    "logger name": "logger",
    "level": "level",
    "levelname": "level",
    "severity": "level",
    "log level": "level",
    "when": "time",
    "time": "time",
    "date": "time",
    "timestamp": "time",
    "asctime": "time",
    "where": "location",
    "location": "location",
    "file": "location",
    "path": "location",
    "module": "module",
    "function": "function",
    "func": "function",
    "host": "host",
    "hostname": "host",
    "server": "host",
    "node": "host",
    "release": "release",
    "version": "release",
    "revision": "release",
    "environment": "environment",
    "env": "environment",
    "process": "process",
    "pid": "process",
    "process id": "process",
    "thread": "thread",
    "thread name": "thread",
    "request": "",
    "request id": "",
    "user": "",
    "session": "",
    "remote address": "",
    "ip": "",
}
"""The field of Report that a label fills; "" for a label about the request, which describes only this occurrence."""
_LOCATION_AND_FUNCTION = re.compile(r"(?P<location>\S+) in (?P<function>[\w.<>]+)(?:\(\))?$")


def read(lines: Sequence[str]) -> Layout | None:
    """Return the layout if the text begins with at least two known labels and a blank line; else None.

    Lines with other labels stay in the message.
    """
    first = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    fields: dict[str, str] = {}
    other: list[str] = []
    known = 0
    for number in range(first, min(len(lines), first + HEAD_LINES)):
        line = lines[number]
        if not line.strip():
            break
        match = _LABEL.match(line)
        if not match:
            return None
        name = _LABELS.get(match["label"].lower())
        if name is None:
            other.append(line)
            continue
        known += 1
        fields.setdefault(name, (match["value"] or "").strip())
    else:
        return None
    rest = "\n".join([*other, *lines[number + 1 :]]).strip("\n")
    if known < 2 or not rest:
        return None
    return _layout(fields, rest, request.read(lines[first:number]))


def _layout(fields: dict[str, str], rest: str, facts: request.Facts) -> Layout:
    fields.pop("", None)
    if match := _LOCATION_AND_FUNCTION.match(fields.get("location", "")):
        fields["location"], fields["function"] = match["location"], match["function"]
    level = parse_level(fields.pop("level", ""))
    line = logline.read(rest.split("\n"))
    if line is None:
        return Layout(form=Form.PLAIN, text=rest, fields=fields, level=level, request=facts)
    return Layout(
        form=Form.PLAIN, text=line.text, fields=line.fields | fields, level=level or line.level, request=facts
    )
