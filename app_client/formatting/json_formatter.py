"""JSON lines for log files that programs read: one JSON object per record and line.

Guarantee: each line is valid ASCII JSON for any record, and contains no newline of the record.
"""

import json
import math
from logging import LogRecord
from typing import Any

from app_client.formatting.formatters import ErrorFormatter, is_extra
from app_client.formatting.masking import MASK, is_secret
from app_client.formatting.request import RequestFacts

_LIMIT = 1000  # characters of an `extra=` value whose type JSON does not have
_DEPTH = 3  # nesting of dictionaries and lists; deeper values become text
_INTEGER = 2**63  # integers beyond this become text: JSON readers may not support them


class JsonFormatter(ErrorFormatter):
    """One line of JSON for each record.

    Always present: `time` (ISO 8601 with zone, unless `datefmt` is given), `level`, `logger`, `message`, `pathname`,
    `lineno`, `module`, `function`, `process` and `thread`. Present if not empty: `exception` (the text of the
    traceback), `stack`, `request` (the known facts) and `extra` (the `extra=` fields; names like "password" are
    masked).
    """

    def __init__(self, *args: Any, iso_time: bool = True, **options: Any) -> None:
        super().__init__(*args, iso_time=iso_time, **options)

    def request_fields(self, facts: RequestFacts) -> dict[str, Any]:
        """Return the facts as one field, so that they stay apart from the fields of the record."""
        return {"request_facts": facts.known()}

    def usesTime(self) -> bool:  # noqa: N802 - the standard name
        """Return True always: the standard formatter looks for the time in the format, and there is no format here."""
        return True

    def formatMessage(self, record: LogRecord) -> str:  # noqa: N802 - the standard name
        """Return the whole object. It includes the traceback, which the standard formatter would append."""
        fields = {
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
            "extra": {name: _json_value(name, value) for name, value in vars(record).items() if is_extra(name)},
        }
        record.exc_info = record.exc_text = record.stack_info = None
        optional = {"exception", "stack", "request", "extra"}
        return json.dumps({name: value for name, value in fields.items() if value or name not in optional})


def _json_value(name: str, value: object, depth: int = _DEPTH) -> object:
    """Return the value if JSON supports it, else its text; a mask if `name` is that of a secret."""
    if is_secret(name):
        return MASK
    if isinstance(value, dict) and depth:
        return {_text(key): _json_value(_text(key), each, depth - 1) for key, each in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [_json_value("", each, depth - 1) for each in value]
    if value is None or isinstance(value, bool | str) or (isinstance(value, int) and abs(value) < _INTEGER):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else _text(value)


def _text(value: object) -> str:
    try:
        return (value if isinstance(value, str) else repr(value))[:_LIMIT]
    except Exception:  # noqa: BLE001 - a class of the app may raise here
        return f"<{type(value).__name__}>"
