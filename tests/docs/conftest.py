"""Fixtures: an SMTP server that works like the relay."""

from collections.abc import Iterator

import pytest

from tests.support.smtp_sinks import Sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    server = Sink().start()
    yield server
    server.stop()
