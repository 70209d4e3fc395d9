"""`Report`: one log record as plain values, taken in the thread that logged it.

A record may refer to objects that exist only during the request. A `Report` holds only texts, numbers and code, so
another thread can send it later. Reports with the same `kind` are equal errors and may share one mail.
"""

import logging
import re
import sys
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import islice

from app_client.capture.snapshot import Snapshot
from app_client.formatting.traceback import TRACE_PLACEHOLDER, Trace

HEAD, TAIL = 192 * 1024, 64 * 1024
"""Characters of an overlong text that are retained at each end. The exception itself is at the end."""

_MAX_EXCEPTIONS = 12  # exceptions of a traceback that are part of the kind
_MAX_FRAMES = 40  # innermost frames of each exception that are part of the kind
_MAX_MESSAGE = 300  # characters of a message that are part of the kind
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One error, ready to be mailed."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    """The formatted record, at most `HEAD + TAIL` characters and a marker; `TRACE_PLACEHOLDER` in place of `trace`."""
    created: float
    """Seconds since the epoch, as in the record."""
    logger: str
    level: str
    kind: int
    """The same for equal errors, see `kind_of`. Valid in this process only."""
    situation: str = ""
    """One of the seven situations, as `situations` names them; "" if none applies."""
    situation_reason: str = ""
    snapshot: Snapshot | None = None
    """The data for the JSON part of the mail; None for a mail without one."""
    trace: Trace | None = None

    @property
    def weight(self) -> int:
        """Approximate size in memory, in bytes."""
        trace = self.trace.weight if self.trace else 0
        snapshot = self.snapshot.weight if self.snapshot else 0
        return 2048 + sys.getsizeof(self.text) + sys.getsizeof(self.subject) + trace + snapshot

    def full_text(self) -> str:
        """Return the text with the formatted traceback. Slow: only for the sending thread."""
        return shorten(self.text.replace(TRACE_PLACEHOLDER, self.trace.text())) if self.trace else self.text


def shorten(text: str) -> str:
    """Return the text, or its head and tail around a marker, which the relay recognises inside a traceback."""
    missing = len(text) - HEAD - TAIL
    if missing <= 0:
        return text
    return f"{text[:HEAD]}\n[... error-mail-relay: {missing} characters left out ...]\n{text[-TAIL:]}"


def kind_of(record: logging.LogRecord) -> int:
    """Return a hash that is the same for all records of one error.

    It covers logger, level and location. With an exception it also covers the whole traceback: the chain and the
    members of groups, each with type, message and lines. Without an exception it covers the message. Numbers are
    replaced, so "order 17" and "order 18" are equal.
    """
    place = (record.name, record.levelno, record.pathname, record.lineno)
    exception = record.exc_info[1] if record.exc_info else None
    if exception is not None:
        return hash((*place, *map(_exception_key, islice(_exceptions_shown(exception), _MAX_EXCEPTIONS))))
    return hash((*place, _without_numbers(_message(record)), _without_numbers((record.exc_text or "")[-_MAX_MESSAGE:])))


def chain(exception: BaseException) -> Iterator[BaseException]:
    """Yield the exception, then its causes and contexts as a traceback shows them. Endless for a cycle of causes."""
    link: BaseException | None = exception
    while link is not None:
        yield link
        link = _cause_or_context(link)


def _cause_or_context(exception: BaseException) -> BaseException | None:
    if exception.__cause__ is not None or exception.__suppress_context__:
        return exception.__cause__
    return exception.__context__


def _exceptions_shown(exception: BaseException) -> Iterator[BaseException]:
    """Yield all exceptions that a traceback shows, nearest first. Endless for a cycle of causes."""
    found = [exception]
    for each in found:
        yield each
        if (origin := _cause_or_context(each)) is not None:
            found.append(origin)
        if isinstance(each, BaseExceptionGroup):
            found += each.exceptions[:_MAX_EXCEPTIONS]


def _exception_key(exception: BaseException) -> Hashable:
    frames = []
    link = exception.__traceback__
    while link is not None:
        frames.append((link.tb_frame.f_code.co_filename, link.tb_lineno))
        link = link.tb_next
    try:
        message = str(exception)
    except Exception:  # noqa: BLE001 - a class of the app may raise here; then the type has to suffice
        message = ""
    return (type(exception).__module__, type(exception).__qualname__, _without_numbers(message), *frames[-_MAX_FRAMES:])


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a formatter of the app may not need this message
        return str(record.msg)


def _without_numbers(message: str) -> str:
    return _NUMBER.sub("0", message[:_MAX_MESSAGE])
