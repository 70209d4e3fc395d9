"""Fixtures for the tests of the client: handlers, loggers and SMTP servers, removed at the end of the test."""

import itertools
import logging
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from app_client import ErrorMailHandler
from tests.support.smtp_sinks import Sink, accept_login

_numbers = itertools.count()


@pytest.fixture
def sink() -> Iterator[Sink]:
    server = Sink().start()
    yield server
    server.stop()


@pytest.fixture
def make_handler() -> Iterator[Callable[..., ErrorMailHandler]]:
    """Create handlers with the documented arguments; their queues are discarded at the end of the test."""
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
    """Create loggers with unique names and the given handlers."""
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


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def login_sink(authority: trustme.CA) -> Iterator[Sink]:
    """An SMTP server that requires STARTTLS and a login."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    server = Sink(
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=accept_login,
        auth_require_tls=True,
    ).start()
    yield server
    server.stop()
