"""The supervisor handles signals as soon as it reports that it is ready."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from relay.service.supervisor import Child, supervise


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_sent_when_ready_stops_the_supervisor_in_order(number: signal.Signals):
    """A program that waits for `listening` in the log and then sends SIGTERM must see a stop in order, not a kill."""
    child = Child(name="no-such-role", config={}, sockets=[], pauses=(30.0,))

    asyncio.run(asyncio.wait_for(supervise([child], lambda: os.kill(os.getpid(), number)), 30))

    assert child.process is None or child.process.returncode is not None
