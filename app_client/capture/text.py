"""The text of a record, made in the thread that logged it; only the traceback may wait until it is sent.

A record's arguments and the request are what they were for no longer than the call, so everything else is formatted
at once. A traceback waits where the standard library alone would write it: with a formatter, or a handler, that has a
`format()` or `formatException()` of its own, this is called here and now, as `logging` has it.
"""

import copy
import logging

from app_client.capture.report import HEAD, shorten
from app_client.formatting.formatters import ErrorFormatter
from app_client.formatting.traceback import LATER, Trace, capture

_STOCK = logging.Formatter()  # what a handler without a formatter uses
_FORMATS = (logging.Formatter.format, ErrorFormatter.format)


def text_of(record: logging.LogRecord, handler: logging.Handler) -> tuple[str, Trace | None]:
    """The text, and a traceback to be put in the place of `LATER` in it."""
    trace = _captured(record, handler)
    if trace is None:
        return shorten(handler.format(record)), None
    own = copy.copy(record)
    own.exc_text = LATER
    text = handler.format(own)
    if len(text) > HEAD:  # no room for the rest
        return shorten(text.replace(LATER, trace.text())), None
    return text, trace


def _captured(record: logging.LogRecord, handler: logging.Handler) -> Trace | None:
    info = record.exc_info
    if not info or info[1] is None or not _is_left_to_the_library(record, handler):
        return None
    return capture(info)


def _is_left_to_the_library(record: logging.LogRecord, handler: logging.Handler) -> bool:
    formatter = handler.formatter or _STOCK
    way = getattr(formatter.format, "__func__", None)
    if way is logging.Formatter.format and record.exc_text:  # it takes over what another one has written
        return False
    return (
        way in _FORMATS
        and getattr(formatter.formatException, "__func__", None) is logging.Formatter.formatException
        and getattr(handler.format, "__func__", None) is logging.Handler.format
    )
