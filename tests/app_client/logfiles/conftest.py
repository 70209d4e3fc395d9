"""Fixtures for log files: handlers are closed at the end of the test."""

import pytest


@pytest.fixture
def open_handler():
    """Fixtures for log files: handlers are closed at the end of the test."""
    handlers = []

    def keep(handler):
        handlers.append(handler)
        return handler

    yield keep
    for handler in handlers:
        handler.close()
