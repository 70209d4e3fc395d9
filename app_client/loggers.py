"""Attach handlers to several loggers at once, for example to those of other libraries, and detach them again.

    attachment = attach([mail_handler, file_handler], [app.logger, getLogger("sqlalchemy"), getLogger("otherlibrary")])
    ...
    attachment.detach()

Guarantees: a handler gets each record once, however the loggers propagate to each other, now or later. It gets no
record of this package or of the relay, because a mail about a failed mail would cause an endless loop.
"""

import itertools
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_PACKAGE_FOLDERS = {name: f"{Path(__file__).parent.parent / name}{os.sep}" for name in ("app_client", "relay")}
"""The folders of both packages, which are installed side by side."""
_numbers = itertools.count()


class Attachment:
    """The handlers that one `attach` has added; removed by `detach` or at the end of a `with` block.

    A handler that was on a logger before is not part of it and stays.
    """

    def __init__(self) -> None:
        self._filters: list[tuple[logging.Handler, logging.Filter]] = []
        self._places: list[tuple[logging.Logger, logging.Handler]] = []

    def add(self, handler: logging.Handler, loggers: Iterable[logging.Logger]) -> None:
        """Add the handler to the loggers that do not have it."""
        once = _OnceAndNotOurs()
        handler.addFilter(once)
        self._filters.append((handler, once))
        for logger in loggers:
            if handler not in logger.handlers:
                logger.addHandler(handler)
                self._places.append((logger, handler))

    def detach(self) -> None:
        """Remove the handlers, without closing them. A second call does nothing."""
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


class _OnceAndNotOurs(logging.Filter):
    """Filter that passes a record to its handler once, and never a record of our own packages."""

    def __init__(self) -> None:
        super().__init__()
        self._number = next(_numbers)

    def filter(self, record: logging.LogRecord) -> bool:
        if is_ours(record):
            return False
        # The key has the process id: a record may come from a child process, whose filters have the same numbers.
        key = (os.getpid(), self._number)
        seen: set[tuple[int, int]] = record.__dict__.setdefault("_error_mail_passed", set())
        if key in seen:
            return False
        seen.add(key)
        return True


def attach(
    handlers: logging.Handler | Iterable[logging.Handler], loggers: logging.Logger | Iterable[logging.Logger]
) -> Attachment:
    """Add every handler to every logger (the root logger is allowed); returns the `Attachment` to detach them."""
    places = [loggers] if isinstance(loggers, logging.Logger) else list(loggers)
    attachment = Attachment()
    for handler in [handlers] if isinstance(handlers, logging.Handler) else handlers:
        attachment.add(handler, places)
    return attachment


def is_ours(record: logging.LogRecord) -> bool:
    """Return True for a record that this package or the relay has logged.

    The name of the logger is not enough, because an app may have its own package named "relay". The code that logged,
    or the package with the logger's name, must be the one that is installed beside this package.
    """
    if any(record.pathname.startswith(home) for home in _PACKAGE_FOLDERS.values()):
        return True
    package = record.name.partition(".")[0]
    if record.name == "mail.log":  # the logger of aiosmtpd, the relay's SMTP library
        return "relay.receive" in sys.modules
    origin = getattr(sys.modules.get(package), "__file__", None) if package in _PACKAGE_FOLDERS else None
    return origin is not None and origin.startswith(_PACKAGE_FOLDERS[package])
