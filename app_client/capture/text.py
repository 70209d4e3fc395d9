"""Format the text of a record in the thread that logged it; only the traceback may be formatted later.

The arguments of a record and the request may change after the call, so everything else is formatted at once. The
traceback is formatted later if only code of the standard library would format it. If the app's formatter or handler has
its own `format()` or `formatException()`, it is called at once, as `logging` does.
"""

import copy
import logging

from app_client.capture.report import HEAD, shorten
from app_client.formatting.formatters import ErrorFormatter
from app_client.formatting.traceback import TRACE_PLACEHOLDER, Trace, capture

_DEFAULT_FORMATTER = logging.Formatter()  # used by a handler without a formatter
_FORMATS = (logging.Formatter.format, ErrorFormatter.format)


def text_of(record: logging.LogRecord, handler: logging.Handler) -> tuple[str, Trace | None]:
    """Return the text, and a traceback to insert at its `TRACE_PLACEHOLDER`; None if the text is complete."""
    trace = _trace_of(record, handler)
    if trace is None:
        return shorten(handler.format(record)), None
    own = copy.copy(record)
    own.exc_text = TRACE_PLACEHOLDER
    text = handler.format(own)
    if len(text) > HEAD:  # the complete text may have to be shortened
        return shorten(text.replace(TRACE_PLACEHOLDER, trace.text())), None
    return text, trace


def _trace_of(record: logging.LogRecord, handler: logging.Handler) -> Trace | None:
    info = record.exc_info
    if not info or info[1] is None or not _has_standard_format(record, handler):
        return None
    return capture(info)


def _has_standard_format(record: logging.LogRecord, handler: logging.Handler) -> bool:
    formatter = handler.formatter or _DEFAULT_FORMATTER
    method = getattr(formatter.format, "__func__", None)
    if method is logging.Formatter.format and record.exc_text:  # it reuses the text that another formatter has cached
        return False
    return (
        method in _FORMATS
        and getattr(formatter.formatException, "__func__", None) is logging.Formatter.formatException
        and getattr(handler.format, "__func__", None) is logging.Handler.format
    )
