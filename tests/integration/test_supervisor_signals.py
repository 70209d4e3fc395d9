"""The supervisor heeds signals from the moment on which it says that it is ready."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from relay.service.supervisor import Child, supervise


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sent_at_the_word_ready_stops_it_in_good_order(number: signal.Signals):
    """Else who waits for `listening` in the log and stops the relay then finds it killed, not stopped."""
    child = Child(name="no-such-role", order={}, sockets=[], pauses=(30.0,))

    asyncio.run(asyncio.wait_for(supervise([child], lambda: os.kill(os.getpid(), number)), 30))

    assert child.process is None or child.process.returncode is not None
