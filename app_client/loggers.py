"""Listening to other libraries: handlers on several loggers at once, each record once, and all of it undone at will.

    attachment = attach([mail_handler, file_handler], [app.logger, getLogger("sqlalchemy"), getLogger("otherlibrary")])
    ...
    attachment.detach()

Guarantee: a handler gets a record once, however the loggers propagate to each other, now or later; and no record of
this package or of the relay, whose mails about failing to mail would go round for ever.
"""

import itertools
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_HOMES = {name: f"{Path(__file__).parent.parent / name}{os.sep}" for name in ("app_client", "relay")}
"""Both are installed side by side."""
_numbers = itertools.count()


class Attachment:
    """What one `attach` has added, and nothing that was there before; undone by `detach` or as a context manager."""

    def __init__(self) -> None:
        self._filters: list[tuple[logging.Handler, logging.Filter]] = []
        self._places: list[tuple[logging.Logger, logging.Handler]] = []

    def add(self, handler: logging.Handler, loggers: Iterable[logging.Logger]) -> None:
        """Put the handler on the loggers; where it is already, it stays when this is undone."""
        once = _OnceAndForeign()
        handler.addFilter(once)
        self._filters.append((handler, once))
        for logger in loggers:
            if handler not in logger.handlers:
                logger.addHandler(handler)
                self._places.append((logger, handler))

    def detach(self) -> None:
        """Take the handlers off again; they are not closed. A second call does nothing."""
        while self._places:
            logger, handler = self._places.pop()
            logger.removeHandler(handler)
        while self._filters:
            handler, once = self._filters.pop()
            handler.removeFilter(once)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()


class _OnceAndForeign(logging.Filter):
    """Lets a record through to its handler for the first time only, and none of our own."""

    def __init__(self) -> None:
        super().__init__()
        self._number = next(_numbers)

    def filter(self, record: logging.LogRecord) -> bool:
        if is_ours(record):
            return False
        # With the process id: a record may come here, mark and all, from a child that has numbered its own filters.
        mark = (os.getpid(), self._number)
        seen: set[tuple[int, int]] = record.__dict__.setdefault("_error_mail_passed", set())
        if mark in seen:
            return False
        seen.add(mark)
        return True


def attach(
    handlers: logging.Handler | Iterable[logging.Handler], loggers: logging.Logger | Iterable[logging.Logger]
) -> Attachment:
    """Put every handler on every logger, the root logger included if it is among them; returns what undoes it."""
    places = [loggers] if isinstance(loggers, logging.Logger) else list(loggers)
    attachment = Attachment()
    for handler in [handlers] if isinstance(handlers, logging.Handler) else handlers:
        attachment.add(handler, places)
    return attachment


def is_ours(record: logging.LogRecord) -> bool:
    """True for what this package or the relay has logged.

    The names alone will not do, because an app may well have a package named "relay": it must be the one installed
    beside this package that logged, or that a logger is named after.
    """
    if any(record.pathname.startswith(home) for home in _HOMES.values()):
        return True
    package = record.name.partition(".")[0]
    if record.name == "mail.log":  # aiosmtpd's, with which the relay takes mails
        return "relay.receive" in sys.modules
    origin = getattr(sys.modules.get(package), "__file__", None) if package in _HOMES else None
    return origin is not None and origin.startswith(_HOMES[package])
