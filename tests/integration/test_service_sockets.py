"""Sockets of `relay serve`: bound, waited for, refused in words, or taken from a service manager."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from relay.config import Listen
from relay.service.sockets import CannotListen, bind, inherited


def test_a_port_that_is_taken_is_said_so():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CannotListen, match="another program has the port"),
    ):
        bind(Listen("127.0.0.1", taken.getsockname()[1]))


def test_a_port_that_becomes_free_is_waited_for():
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    threading.Timer(0.3, taken.close).start()

    with bind(Listen("127.0.0.1", port), patience=10) as bound:
        assert bound.getsockname()[1] == port


@pytest.mark.parametrize(
    ("host", "words"), [("192.0.2.1", "this machine has no such address"), ("no-such-host.invalid", "not known here")]
)
def test_an_address_that_is_not_ours_is_said_so_without_waiting(host, words):
    began = time.monotonic()

    with pytest.raises(CannotListen, match=words):
        bind(Listen(host, 0), patience=60)
    assert time.monotonic() - began < 30


def test_sockets_meant_for_another_process_are_not_taken():
    assert inherited({"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}) == {}
    assert inherited({}) == {}
