"""The relay's own log: one line per event on standard error, as text or JSON, the same in each of its processes.

    configure        everything that goes through `logging`: the relay, its libraries, warnings, uncaught exceptions
    event_logs       structlog on top of it, for the supervisor and the worker
    warn, exit_after what is found before the program of a process runs

It needs the standard library alone, so that the receiver starts fast and stays small.

Guarantee: no mail content and no secret is logged. Tracebacks show no local variables, which could hold both. Text from
outside cannot start a line of its own: in JSON it is a string, in text its control characters are escaped. Times are in
UTC. Each line is written at once, because three processes share standard error.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from relay.errors import ConfigError, RelayError

FIELDS = "relay_fields"
"""The attribute of a log record that holds the values of an event, by name."""
_COLORS = {
    "debug": "\x1b[36m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
_RESET = "\x1b[0m"
_ESCAPES = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))} | {10: "\\n", 13: "\\r", 9: "\\t"}

_log = logging.getLogger(__name__)


def configure(role: str, style: str, level: str) -> None:
    """Log to standard error in `style` (`text` or `json`): the relay from `level` on, libraries from WARNING on.

    `role` is the process, as each line names it: `supervisor`, `receiver` or `worker`. It may be called again.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(role) if style == "json" else TextFormatter(role, color=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("relay").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda failed: _log_uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.unraisablehook = _log_ignored


def warn(text: str) -> None:
    """Log a warning about the configuration."""
    _log.warning("%s", text)


def exit_after(error: Exception) -> None:
    """Log an error that keeps this process from running, and exit with its code; do nothing if it is unexpected."""
    if isinstance(error, RelayError):
        for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
            _log.critical("%s", problem)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


class JsonFormatter(logging.Formatter):
    """One JSON object: timestamp, level, role, logger of a library, event, the values of the event, exception."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the object in one line."""
        described = {"timestamp": _timestamp(record), "level": record.levelname.lower(), "role": self._role}
        described |= _library(record) | {"event": record.getMessage()} | _fields(record)
        if trace := _trace(record):
            described["exception"] = trace
        return json.dumps(described, default=str)


class TextFormatter(logging.Formatter):
    """`2026-03-03T14:02:07.123456Z [warning] receiver: what happened  name=value`, and a traceback on further lines."""

    def __init__(self, role: str, *, color: bool) -> None:
        super().__init__()
        self._role = role
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the lines of a traceback behind it."""
        level = record.levelname.lower()
        shown = f"{_COLORS.get(level, '')}{level}{_RESET}" if self._color else level
        pad = " " * (8 - len(level))
        values = "".join(f" {name}={_quoted(value)}" for name, value in (_library(record) | _fields(record)).items())
        event = record.getMessage().translate(_ESCAPES)
        line = f"{_timestamp(record)} [{shown}]{pad} {self._role}: {event}{' ' if values else ''}{values}"
        trace = _trace(record)
        return f"{line}\n{trace}" if trace else line


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _library(record: logging.LogRecord) -> dict[str, Any]:
    """Return the logger of a library; the relay's own events need none."""
    return {} if record.name.partition(".")[0] == "relay" else {"logger": record.name}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, FIELDS, {})
    return fields


def _trace(record: logging.LogRecord) -> str:
    """Return the traceback of the record's exception, with those of its causes; "" if it has none."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")


def _quoted(value: object) -> str:
    text = str(value)
    plain = text.translate(_ESCAPES) == text and not set(text) & set(" =\"'")
    return text if plain and text else repr(text).translate(_ESCAPES)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Log an exception that ends the process or one of its threads. Python's own hooks would print plain text."""
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        _log.critical("unexpected error", exc_info=(kind, error, trace))


def _log_ignored(ignored: sys.UnraisableHookArgs) -> None:
    """Log an exception that Python cannot raise, such as one of a finalizer."""
    if ignored.exc_value is not None:
        found = (ignored.exc_type, ignored.exc_value, ignored.exc_traceback)
        _log.error("error in a finalizer or callback was ignored", exc_info=found)
