"""The documented formats, and formatters that keep their promises: of an error mail and of a line in a log file.

They come first in the way of a record: what a formatter makes of it is what the mail or the file says. The relay reads
the mail format back field by field, so its labels and their alignment are a promise. Source of both: Flask's guide
"Logging Application Errors".

All are subclasses of `logging.Formatter` and made to be subclassed: a `format()`, `formatTime()` or `formatException()`
of one's own is called for each record, also where another handler has formatted the same record before.
"""

import copy
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from logging import Formatter, LogRecord
from typing import Any, Literal

from app_client.formatting.masking import is_secret, masked
from app_client.formatting.one_line import one_line
from app_client.formatting.request import NAMES, FactSource, RequestFacts
from app_client.formatting.traceback import LATER

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
_STOCK = set(vars(LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName", "request_facts"}
Style = Literal["%", "{", "$"]


class ErrorFormatter(Formatter):
    """The stock formatter with facts of the request and ISO 8601 times.

    With `facts`, a format may use `%(method)s`, `%(url)s`, `%(endpoint)s`, `%(remote_addr)s`, `%(user_agent)s`,
    `%(request_id)s` and `%(user_id)s`; each is "-" where it is not known or there is no request. What the record itself
    brings under such a name (`extra=`) goes before; what it brings under a name like "password" is masked. With
    `iso_time`, times read `2024-05-01T12:00:00.123+02:00`, in UTC if `converter` is `time.gmtime`; a `datefmt` goes
    before. The other arguments are the stock formatter's.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Style = "%",
        validate: bool = True,  # noqa: FBT001, FBT002 - the stock formatter's
        *,
        defaults: Mapping[str, Any] | None = None,
        facts: FactSource | None = None,
        iso_time: bool = False,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate, defaults=dict.fromkeys(NAMES, "-") | dict(defaults or {}))
        self._facts = facts
        self._iso_time = iso_time

    def format(self, record: LogRecord) -> str:
        """The record as text; the record itself is left as it is, and so is what others keep in it."""
        own = copy.copy(record)
        if own.exc_info and own.exc_text is not LATER:
            own.exc_text = None  # another formatter's, which stock formatters take over from each other
        facts = self._facts() if self._facts else None
        own.__dict__ = self.added(facts) | own.__dict__ if facts else own.__dict__
        self._mask(own)
        return super().format(own)

    def _mask(self, record: LogRecord) -> None:
        """Mask secrets among what was given by `extra=`, as far as it can be shown, and among named arguments."""
        if type(record.args) is dict:
            record.args = {name: masked(name, value) for name, value in record.args.items()}
        for name in tuple(filter(is_extra, vars(record))):
            if is_secret(name) or name in str(self._fmt):
                setattr(record, name, masked(name, getattr(record, name)))

    def added(self, facts: RequestFacts) -> dict[str, Any]:
        """What the format may use because there is a request."""
        return dict(facts.known())

    def formatTime(self, record: LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the stock name
        """The record's time in `datefmt`, else in ISO 8601 if that was asked for, else as the stock formatter does."""
        if datefmt or not self._iso_time:
            return super().formatTime(record, datefmt)
        moment = datetime.fromtimestamp(record.created, UTC)
        return (moment if self.converter is time.gmtime else moment.astimezone()).isoformat(timespec="milliseconds")


def is_extra(name: str) -> bool:
    """True for what a record does not have by itself."""
    return name not in _STOCK and not name.startswith("_")


class MailFormatter(ErrorFormatter):
    """The documented mail format; with `facts` it begins with a block about the request, when there is one.

    That block stands first because the relay takes what stands before the documented labels for a preface: the same
    error is the same error with and without it.
    """

    def __init__(
        self, fmt: str | None = None, *args: Any, defaults: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        preface = {"request_block": ""} | dict(defaults or {})
        super().__init__(fmt or "%(request_block)s" + MAIL_FORMAT, *args, defaults=preface, **options)

    def added(self, facts: RequestFacts) -> dict[str, Any]:
        """The facts, and all of them as a block of lines for the head of the mail."""
        known = facts.known()
        told = {name: known.get(name, "") for name in _LABELS} | {"url": f"{facts.method} {facts.url}".strip()}
        lines = [f"{_LABELS[name] + ':':<20}{value}\n" for name, value in told.items() if value]
        return known | {"request_block": "\n" + "".join(lines) if lines else ""}


class FileFormatter(ErrorFormatter):
    r"""The documented file format, safe from forgery: only a record of its own begins in the first column.

    A newline in a message becomes `\n`, and so on for all that could end or disguise a line; the lines of a traceback
    are indented. With `single`, tracebacks too go into that one line (for syslog, where each line is a record).
    """

    def __init__(self, fmt: str | None = None, *args: Any, single: bool = False, **options: Any) -> None:
        super().__init__(fmt or FILE_FORMAT, *args, **options)
        self._single = single

    def formatMessage(self, record: LogRecord) -> str:  # noqa: N802 - the stock name
        """The record without its traceback, in one line."""
        return one_line(super().formatMessage(record))

    def format(self, record: LogRecord) -> str:
        """One line, and an indented one for each line of a traceback."""
        text = super().format(record)
        if self._single:
            return one_line(text)
        first, *rest = text.split("\n")
        return "\n".join([one_line(first), *(_INDENT + one_line(line) for line in rest)])


def mail_formatter(*, facts: FactSource | None = None, iso_time: bool = False) -> MailFormatter:
    """A new formatter for mail handlers; like every `logging.Formatter` it appends the traceback by itself."""
    return MailFormatter(facts=facts, iso_time=iso_time)


def file_formatter(*, facts: FactSource | None = None, iso_time: bool = False) -> FileFormatter:
    """A new formatter for file handlers, meant for level WARNING."""
    return FileFormatter(facts=facts, iso_time=iso_time)
