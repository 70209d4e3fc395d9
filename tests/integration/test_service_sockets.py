"""Sockets of `relay serve`: bound, waited for, refused with a reason, or inherited from a service manager."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from relay.config import Listen
from relay.service.sockets import CannotListen, bind, inherited


def test_port_in_use_is_an_error_that_says_so():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CannotListen, match="another program uses the port"),
    ):
        bind(Listen("127.0.0.1", taken.getsockname()[1]))


def test_port_that_becomes_free_is_waited_for():
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    threading.Timer(0.3, taken.close).start()

    with bind(Listen("127.0.0.1", port), retry_for=10) as bound:
        assert bound.getsockname()[1] == port


@pytest.mark.parametrize(
    ("host", "reason"),
    [("192.0.2.1", "this machine has no such address"), ("no-such-host.invalid", "cannot be resolved")],
)
def test_address_of_another_machine_is_an_error_without_waiting(host, reason):
    began = time.monotonic()

    with pytest.raises(CannotListen, match=reason):
        bind(Listen(host, 0), retry_for=60)
    assert time.monotonic() - began < 30


def test_sockets_passed_to_another_process_are_not_inherited():
    assert inherited({"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}) == {}
    assert inherited({}) == {}
