"""Handlers that are closed when the test ends."""

import pytest


@pytest.fixture
def open_handler():
    """Handlers that are closed when the test ends."""
    handlers = []

    def keep(handler):
        handlers.append(handler)
        return handler

    yield keep
    for handler in handlers:
        handler.close()
