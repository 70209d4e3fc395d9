"""The control socket between supervisor and child: configuration, sockets, and the end of either process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from relay.receive import LOOPBACK
from relay.service.child_process import ChildProcess

KILLED = """
import os, signal, socket
from relay.service.child_process import ChildProcess

bound = socket.create_server(("127.0.0.1", 0))
print(bound.getsockname()[1], flush=True)
process = ChildProcess("worker")
process.send_config({"log": {"style": "json", "level": "info"}, "tables": {}}, [bound])
os.kill(os.getpid(), signal.SIGKILL)
"""
"""A supervisor that is killed while its child, which already has the sockets, still loads its program."""


def config(folder: Path) -> dict[str, object]:
    limits = {"hostname": "relay", "max_size": 1 << 20, "idle_timeout": 60, "session_timeout": 60}
    access = {"clients": list(LOOPBACK), "proxies": [], "username": "", "password": None, "auth_in_clear": False}
    return {
        "log": {"style": "json", "level": "info"},
        "data_dir": str(folder),
        "tls_sockets": 0,
        "limits": {**limits, "max_connections": 10, "max_per_client": 10},
        "access": {**access, "tls_cert": "", "tls_key": ""},
    }


def test_child_without_a_configuration_ends_with_its_supervisor():
    with ChildProcess("receiver") as child:
        assert child.returncode is None

    assert child.returncode == 0


def test_child_listens_on_the_sockets_it_is_sent_and_ends_with_its_supervisor(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as bound, ChildProcess("receiver") as child:
        child.send_config(config(tmp_path), [bound])
        with socket.create_connection(bound.getsockname(), timeout=60) as client:
            assert client.recv(100).startswith(b"220")

    assert child.returncode == 0


def test_large_configuration_arrives_complete(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as bound, ChildProcess("receiver") as child:
        child.send_config({**config(tmp_path), "unused": "x" * (1 << 20)}, [bound])
        with socket.create_connection(bound.getsockname(), timeout=60) as client:
            assert client.recv(100).startswith(b"220")


def test_child_closes_the_sockets_when_its_supervisor_is_killed_while_it_loads():
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False, timeout=60)
    port = int(done.stdout)

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise AssertionError("a child without a supervisor still holds the port")
