"""Sockets of `relay serve`: bound, waited for, refused with a reason, or inherited from a service manager."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from relay.config import Listen
from relay.service import port_holder
from relay.service.sockets import CannotListen, bind, inherited


def test_port_in_use_is_an_error_that_says_who_uses_it():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CannotListen, match=rf"process {os.getpid()} \(.+\) of user \w+ uses the port"),
    ):
        bind(Listen("127.0.0.1", taken.getsockname()[1]))


def test_port_in_use_by_an_unknown_program_is_an_error_all_the_same(monkeypatch: pytest.MonkeyPatch):
    """As on a system without /proc."""
    monkeypatch.setattr(port_holder, "_TABLES", ("/nowhere",))
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CannotListen, match="another program, or another relay, uses the port"),
    ):
        bind(Listen("127.0.0.1", taken.getsockname()[1]))


def test_port_that_becomes_free_is_waited_for():
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    threading.Timer(0.3, taken.close).start()

    with bind(Listen("127.0.0.1", port), retry_for=10) as bound:
        assert bound.getsockname()[1] == port


def test_wait_for_a_port_is_announced_once_before_it_begins():
    """Otherwise the relay would seem to hang. Here the announcement itself makes the port free."""
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    said: list[str] = []

    def on_wait(text: str) -> None:
        said.append(text)
        taken.close()

    with bind(Listen("127.0.0.1", port), retry_for=20, on_wait=on_wait):
        (text,) = said
    assert text.startswith(f"cannot listen on 127.0.0.1:{port} yet: process {os.getpid()} (")
    assert text.endswith("uses the port; trying again for 20 s")


# --- Who uses a port --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_holder_is_the_process_that_listens(family: socket.AddressFamily, host: str):
    program = "import socket, sys; s = socket.create_server((sys.argv[1], 0), family=int(sys.argv[2]));"
    program += "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, host, str(int(family)), "--password=hunter2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        if not (line := child.stdout.readline()):
            pytest.skip(f"this machine has no {host}")
        found = port_holder.describe_holder(int(line))
        child.communicate("")

    assert found.startswith(f"process {child.pid} (")
    assert "hunter2" not in found


def test_holder_of_another_user_is_named_by_its_user_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(port_holder, "_processes_with", lambda _: iter(()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = port_holder.describe_holder(taken.getsockname()[1])

    assert found == f"a process of user {getpass.getuser()}"


def test_free_port_has_no_holder():
    with socket.socket() as bound:  # bound, but it does not listen
        bound.bind(("127.0.0.1", 0))

        assert port_holder.describe_holder(bound.getsockname()[1]) == ""


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
