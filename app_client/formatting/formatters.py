"""The documented formats of error mails and log files, and the formatters for them.

First step of the flow: the text of a mail or of a log line is the output of a formatter. The relay parses the mail
format field by field, so its labels and their alignment must not change. Source of both formats: Flask's guide "Logging
Application Errors".

All formatters are subclasses of `logging.Formatter` and can be subclassed. An overridden `format()`, `formatTime()` or
`formatException()` is called for each record, even if another handler has formatted the same record before.
"""

import copy
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from logging import Formatter, LogRecord
from typing import Any, Literal

from app_client.formatting.masking import is_secret, masked
from app_client.formatting.one_line import one_line
from app_client.formatting.request import NAMES, FactSource, RequestFacts, facts_of
from app_client.formatting.traceback import TRACE_PLACEHOLDER

MAIL_FORMAT = """
Message type:       %(levelname)s
Location:           %(pathname)s:%(lineno)d
Module:             %(module)s
Function:           %(funcName)s
Time:               %(asctime)s

Message:

%(message)s
"""

FILE_FORMAT = "%(asctime)s %(levelname)s: %(message)s [in %(pathname)s:%(lineno)d]"

_LABELS = {
    "url": "Request",
    "endpoint": "Endpoint",
    "remote_addr": "Remote address",
    "user_agent": "User agent",
    "request_id": "Request id",
    "user_id": "User",
}
_INDENT = "    "
_STANDARD_ATTRIBUTES = {
    *vars(LogRecord("", 0, "", 0, "", None, None)),
    "message",
    "asctime",
    "taskName",
    "request_facts",
}
Style = Literal["%", "{", "$"]


class ErrorFormatter(Formatter):
    """The standard formatter, plus facts of the request, ISO 8601 times and masking of secrets.

    With `facts`, a format may use `%(method)s`, `%(url)s`, `%(endpoint)s`, `%(remote_addr)s`, `%(user_agent)s`,
    `%(request_id)s` and `%(user_id)s`. Each is "-" if it is unknown or there is no request. A field of the record with
    the same name (`extra=`) takes precedence. Fields with names like "password" are masked. With `iso_time`, times look
    like `2024-05-01T12:00:00.123+02:00`, in UTC if `converter` is `time.gmtime`; a `datefmt` takes precedence. The
    other arguments are those of the standard formatter.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Style = "%",
        validate: bool = True,  # noqa: FBT001, FBT002 - as in the standard formatter
        *,
        defaults: Mapping[str, Any] | None = None,
        facts: FactSource | None = None,
        iso_time: bool = False,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate, defaults=dict.fromkeys(NAMES, "-") | dict(defaults or {}))
        self._facts = facts
        self._iso_time = iso_time

    def format(self, record: LogRecord) -> str:
        """Return the record as text. The record itself is not changed."""
        own = copy.copy(record)
        if own.exc_info and own.exc_text is not TRACE_PLACEHOLDER:
            own.exc_text = None  # cached by another formatter; standard formatters reuse it, this one does not
        facts = facts_of(record, self._facts) if self._facts else None
        own.__dict__ = self.request_fields(facts) | own.__dict__ if facts else own.__dict__
        self._mask(own)
        return super().format(own)

    def _mask(self, record: LogRecord) -> None:
        """Mask secrets in named arguments, and in the `extra=` fields that the format shows."""
        if type(record.args) is dict:
            record.args = {name: masked(name, value) for name, value in record.args.items()}
        for name in tuple(filter(is_extra, vars(record))):
            if is_secret(name) or name in str(self._fmt):
                setattr(record, name, masked(name, getattr(record, name)))

    def request_fields(self, facts: RequestFacts) -> dict[str, Any]:
        """Return the fields that the format may use because there is a request."""
        return dict(facts.known())

    def formatTime(self, record: LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the standard name
        """Return the time of the record: in `datefmt`, else in ISO 8601 if `iso_time`, else in the standard format."""
        if datefmt or not self._iso_time:
            return super().formatTime(record, datefmt)
        created = datetime.fromtimestamp(record.created, UTC)
        return (created if self.converter is time.gmtime else created.astimezone()).isoformat(timespec="milliseconds")


def is_extra(name: str) -> bool:
    """Return True for a field that was added to a record, as by `extra=`."""
    return name not in _STANDARD_ATTRIBUTES and not name.startswith("_")


class MailFormatter(ErrorFormatter):
    """The documented mail format. With `facts`, and during a request, it starts with a block about the request.

    The block comes first because the relay treats text before the documented labels as a preface, which does not change
    the fingerprint of the error.
    """

    def __init__(
        self, fmt: str | None = None, *args: Any, defaults: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        preface = {"request_block": ""} | dict(defaults or {})
        super().__init__(fmt or "%(request_block)s" + MAIL_FORMAT, *args, defaults=preface, **options)

    def request_fields(self, facts: RequestFacts) -> dict[str, Any]:
        """Return the facts, and a block of lines with all of them for the head of the mail."""
        known = facts.known()
        values = {name: known.get(name, "") for name in _LABELS} | {"url": f"{facts.method} {facts.url}".strip()}
        lines = [f"{_LABELS[name] + ':':<20}{value}\n" for name, value in values.items() if value]
        return known | {"request_block": "\n" + "".join(lines) if lines else ""}


class FileFormatter(ErrorFormatter):
    r"""The documented file format, protected against forged lines: only a record starts in the first column.

    A newline in a message becomes `\n`; other characters that could end or disguise a line are escaped too. The lines
    of a traceback are indented. With `single`, a traceback is part of the one line, for syslog, where each line is a
    record.
    """

    def __init__(self, fmt: str | None = None, *args: Any, single: bool = False, **options: Any) -> None:
        super().__init__(fmt or FILE_FORMAT, *args, **options)
        self._single = single

    def formatMessage(self, record: LogRecord) -> str:  # noqa: N802 - the standard name
        """Return the record without its traceback, on one line."""
        return one_line(super().formatMessage(record))

    def format(self, record: LogRecord) -> str:
        """Return one line, followed by an indented line for each line of the traceback."""
        text = super().format(record)
        if self._single:
            return one_line(text)
        first, *rest = text.split("\n")
        return "\n".join([one_line(first), *(_INDENT + one_line(line) for line in rest)])


def mail_formatter(*, facts: FactSource | None = None, iso_time: bool = False) -> MailFormatter:
    """Return a new formatter for mail handlers. Like every `logging.Formatter` it appends the traceback."""
    return MailFormatter(facts=facts, iso_time=iso_time)


def file_formatter(*, facts: FactSource | None = None, iso_time: bool = False) -> FileFormatter:
    """Return a new formatter for file handlers (at level WARNING, as the guide recommends)."""
    return FileFormatter(facts=facts, iso_time=iso_time)
