"""The layout of JSON records: one log record as an object (structlog, python-json-logger, pino, zap, cloud agents)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from relay.model import Form
from relay.parse.layouts.layout import Layout, parse_level

_MESSAGES = ("message", "msg", "event", "text", "log")
_TRACES = (
    "exc_info",
    "exception",
    "exc_text",
    "traceback",
    "stack_trace",
    "stacktrace",
    "stack",
    "stack_info",
    "err",
    "error",
)
_ERRORS = ("error", "err", "attr")
"""Fields that name the cause, besides the message and the stack. `attr` is used by MongoDB."""
_FIELDS = {
    "logger": ("logger", "logger_name", "log.logger", "name"),
    "location": ("pathname", "path", "caller", "file"),
    "module": ("module",),
    "function": ("funcName", "func_name", "function", "func"),
    "time": ("timestamp", "@timestamp", "asctime", "time", "ts"),
    "host": ("hostname", "host"),
    "environment": ("environment", "env"),
    "release": ("release", "version"),
}
_LEVELS = ("levelname", "level", "severity", "log.level", "lvl")


def read(lines: Sequence[str]) -> Layout | None:
    """Return the layout of a JSON object with a message; None for any other text."""
    first = next((line.lstrip() for line in lines if line.strip()), "")
    if not first.startswith("{"):
        return None
    try:
        record = json.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return None
    return layout_of(record) if isinstance(record, dict) else None


def layout_of(record: dict[str, Any], below: str = "") -> Layout | None:
    """Return the layout of a record, using common field names, with the text `below` it; None without a message."""
    message = _text(record, _MESSAGES)
    trace = _text(record, _TRACES)
    if (error := _text(record, _ERRORS)) and error not in trace and error not in message:
        message = f"{message}: {error}" if message else error
    if not message and not trace:
        return None
    fields = {name: value for name, keys in _FIELDS.items() if (value := _text(record, keys))}
    return Layout(
        form=Form.PLAIN,
        text=f"{message}\n{trace}\n{below}".strip("\n"),
        fields=fields,
        level=parse_level(_level_of(record)),
    )


def _level_of(record: dict[str, Any]) -> str:
    """Return the level. Node's pino and bunyan write 30 for info and 50 for an error, ten more than Python."""
    level = _text(record, _LEVELS)
    is_node = level.isdigit() and "pid" in record and "hostname" in record
    return str(int(level) - 10) if is_node else level


def _text(record: dict[str, Any], keys: Sequence[str]) -> str:
    """Return the first value of `keys` that is a text or a number; for an object, its `stack` or `message`."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, dict):
            value = value.get("stack") or value.get("message")
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""
