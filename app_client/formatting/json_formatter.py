"""Records as JSON for files that programs read: one object in one line each.

Guarantee: a line is valid JSON in ASCII whatever the record holds, and no newline in it comes from the record.
"""

import json
import math
from logging import LogRecord
from typing import Any

from app_client.formatting.formatters import ErrorFormatter, is_extra
from app_client.formatting.masking import MASK, is_secret
from app_client.formatting.request import RequestFacts

_LIMIT = 1000  # characters of an extra that is no plain value
_DEPTH = 3  # of dictionaries and lists in each other; what is deeper down is text
_INTEGER = 2**63  # what programs that read JSON can be expected to hold


class JsonFormatter(ErrorFormatter):
    """One line of JSON for each record.

    Always there are `time` (ISO 8601 with zone, unless `datefmt` says otherwise), `level`, `logger`, `message`,
    `pathname`, `lineno`, `module`, `function`, `process` and `thread`. Only where there is something to tell:
    `exception` (the traceback's text), `stack`, `request` (the facts that are known) and `extra` (what was given by
    `extra=`, masked under names like "password").
    """

    def __init__(self, *args: Any, iso_time: bool = True, **options: Any) -> None:
        super().__init__(*args, iso_time=iso_time, **options)

    def added(self, facts: RequestFacts) -> dict[str, Any]:
        """The facts in one piece, so that they stay apart from what the record brings itself."""
        return {"request_facts": facts.known()}

    def usesTime(self) -> bool:  # noqa: N802 - the stock name
        """Always: the stock formatter looks for it in a format, which there is none of here."""
        return True

    def formatMessage(self, record: LogRecord) -> str:  # noqa: N802 - the stock name
        """The whole object; what the stock formatter would append to it is in it already."""
        told = {
            "time": record.asctime,
            "level": record.levelname,
            "logger": record.name,
            "message": record.message,
            "pathname": record.pathname,
            "lineno": record.lineno,
            "module": record.module,
            "function": record.funcName,
            "process": record.process,
            "thread": record.threadName,
            "exception": self.formatException(record.exc_info) if record.exc_info else record.exc_text,
            "stack": self.formatStack(record.stack_info) if record.stack_info else None,
            "request": getattr(record, "request_facts", None),
            "extra": {name: _plain(name, value) for name, value in vars(record).items() if is_extra(name)},
        }
        record.exc_info = record.exc_text = record.stack_info = None
        optional = {"exception", "stack", "request", "extra"}
        return json.dumps({name: value for name, value in told.items() if value or name not in optional})


def _plain(name: str, value: object, depth: int = _DEPTH) -> object:
    """The value itself if JSON has it, else its text; a mask for what is secret by its name."""
    if is_secret(name):
        return MASK
    if isinstance(value, dict) and depth:
        return {_text(key): _plain(_text(key), each, depth - 1) for key, each in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [_plain("", each, depth - 1) for each in value]
    if value is None or isinstance(value, bool | str) or (isinstance(value, int) and abs(value) < _INTEGER):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else _text(value)


def _text(value: object) -> str:
    try:
        return (value if isinstance(value, str) else repr(value))[:_LIMIT]
    except Exception:  # noqa: BLE001 - the app's own class may fail at anything
        return f"<{type(value).__name__}>"
