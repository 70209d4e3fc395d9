"""Loggers and servers of one test, gone when it ends."""

import itertools
import logging
from collections.abc import Callable, Iterator

import pytest

from app_client import ErrorMailHandler
from tests.app_client.servers import Sink

_numbers = itertools.count()


@pytest.fixture
def sink() -> Iterator[Sink]:
    server = Sink().start()
    yield server
    server.stop()


@pytest.fixture
def make_handler() -> Iterator[Callable[..., ErrorMailHandler]]:
    """Handlers with the documented arguments; what is left in them when the test ends is thrown away."""
    handlers = []

    def make(mailhost, **options) -> ErrorMailHandler:
        handler_class = options.pop("handler_class", ErrorMailHandler)
        handler = handler_class(
            mailhost, "server-error@example.com", ["yourname@example.com"], "YourApplication Failed", **options
        )
        handlers.append(handler)
        return handler

    yield make
    for handler in handlers:
        handler._exit_timeout = 0
        handler.close()


@pytest.fixture
def make_logger() -> Iterator[Callable[..., logging.Logger]]:
    """Loggers nobody else has, each with the handlers it is given."""
    loggers = []

    def make(*handlers: logging.Handler, name: str = "") -> logging.Logger:
        logger = logging.getLogger(name or f"yourapplication{next(_numbers)}")
        logger.propagate = False
        loggers.append((logger, handlers))
        for handler in handlers:
            logger.addHandler(handler)
        return logger

    yield make
    for logger, handlers in loggers:
        for handler in handlers:
            logger.removeHandler(handler)
