"""What one log record has to say, taken from it in the thread that logged it.

A record may hold objects that are alive only during the request, so a `Report` holds nothing but text and numbers and
may be kept and sent later, by another thread. Its `kind` tells which reports are equal: those may be folded into one
mail.
"""

import logging
import re
import sys
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import islice

from app_client.capture.snapshot import Snapshot
from app_client.formatting.traceback import LATER, Trace

HEAD, TAIL = 192 * 1024, 64 * 1024
"""What is kept of an overlong text, in characters: the exception itself stands at the end."""

_SHOWN = 12  # exceptions of a traceback that tell kinds apart
_FRAMES = 40  # frames of each, the innermost ones
_PHRASE = 300  # characters of a message
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One error, ready to be mailed."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    """The formatted record, at most `HEAD + TAIL` characters and a marker; with a `trace`, `LATER` stands for that."""
    created: float
    """Seconds since the epoch, as in the record."""
    logger: str
    level: str
    kind: int
    """Equal for equal errors, see `kind_of`; valid in this process only."""
    situation: str = ""
    """Which of the seven situations it looks like, as `situations` names them; "" where there is no sign."""
    situation_reason: str = ""
    snapshot: Snapshot | None = None
    """What the mail's JSON part is made of; None for a mail without one."""
    trace: Trace | None = None

    @property
    def weight(self) -> int:
        """Roughly the bytes of memory that it takes."""
        trace = self.trace.weight if self.trace else 0
        snapshot = self.snapshot.weight if self.snapshot else 0
        return 2048 + sys.getsizeof(self.text) + sys.getsizeof(self.subject) + trace + snapshot

    def written(self) -> str:
        """The text, its traceback written out: not to be called where anybody waits."""
        return shorten(self.text.replace(LATER, self.trace.text())) if self.trace else self.text


def shorten(text: str) -> str:
    """The text itself, or its head and tail with a marker between them that the relay knows when it reads traces."""
    missing = len(text) - HEAD - TAIL
    if missing <= 0:
        return text
    return f"{text[:HEAD]}\n[... error-mail-relay: {missing} characters left out ...]\n{text[-TAIL:]}"


def kind_of(record: logging.LogRecord) -> int:
    """A hash of what a record has in common with all others of the same error.

    That is its logger, level and place; with an exception also all that its traceback shows, the chain and what groups
    hold, each with its type, its message and the lines it came through; without one the message. Numbers are levelled,
    so that "order 17" and "order 18" are the same.
    """
    place = (record.name, record.levelno, record.pathname, record.lineno)
    exception = record.exc_info[1] if record.exc_info else None
    if exception is not None:
        return hash((*place, *map(_trait, islice(_shown(exception), _SHOWN))))
    return hash((*place, _levelled(_message(record)), _levelled((record.exc_text or "")[-_PHRASE:])))


def chain(exception: BaseException) -> Iterator[BaseException]:
    """The exception and those it came from, as a traceback shows them; a ring of causes ends at the caller's limit."""
    link: BaseException | None = exception
    while link is not None:
        yield link
        link = _origin(link)


def _origin(exception: BaseException) -> BaseException | None:
    if exception.__cause__ is not None or exception.__suppress_context__:
        return exception.__cause__
    return exception.__context__


def _shown(exception: BaseException) -> Iterator[BaseException]:
    """All that a traceback shows, nearest first; a ring of causes ends at the caller's limit."""
    found = [exception]
    for each in found:
        yield each
        if (origin := _origin(each)) is not None:
            found.append(origin)
        if isinstance(each, BaseExceptionGroup):
            found += each.exceptions[:_SHOWN]


def _trait(exception: BaseException) -> Hashable:
    frames = []
    link = exception.__traceback__
    while link is not None:
        frames.append((link.tb_frame.f_code.co_filename, link.tb_lineno))
        link = link.tb_next
    try:
        message = str(exception)
    except Exception:  # noqa: BLE001 - the app's own class may fail at anything; its type must do then
        message = ""
    return (type(exception).__module__, type(exception).__qualname__, _levelled(message), *frames[-_FRAMES:])


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - the app's formatter may do without this message
        return str(record.msg)


def _levelled(message: str) -> str:
    return _NUMBER.sub("0", message[:_PHRASE])
