"""How the supervisor and a child's process hear of each other: from the first moment on, whoever goes first."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from relay.receive import LOOPBACK
from relay.service.child_process import Process

KILLED = """
import os, signal, socket
from relay.service.child_process import Process

bound = socket.create_server(("127.0.0.1", 0))
print(bound.getsockname()[1], flush=True)
process = Process("worker")
process.tell({"tables": {}}, [bound])
os.kill(os.getpid(), signal.SIGKILL)
"""
"""A supervisor that is killed while its child still loads its program, the sockets in its hands."""


def order(folder: Path) -> dict[str, object]:
    limits = {"hostname": "relay", "max_size": 1 << 20, "idle_timeout": 60, "session_timeout": 60}
    access = {"clients": list(LOOPBACK), "proxies": [], "username": "", "password": None, "auth_in_clear": False}
    return {
        "data_dir": str(folder),
        "tls_sockets": 0,
        "limits": {**limits, "max_connections": 10, "max_per_client": 10},
        "access": {**access, "tls_cert": "", "tls_key": ""},
    }


def test_child_that_is_told_nothing_ends_with_its_supervisor():
    with Process("receiver") as child:
        assert child.returncode is None

    assert child.returncode == 0


def test_child_takes_the_sockets_that_come_with_its_order_and_ends_with_its_supervisor(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as bound, Process("receiver") as child:
        child.tell(order(tmp_path), [bound])
        with socket.create_connection(bound.getsockname(), timeout=60) as client:
            assert client.recv(100).startswith(b"220")

    assert child.returncode == 0


def test_large_order_arrives_whole(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as bound, Process("receiver") as child:
        child.tell({**order(tmp_path), "unused": "x" * (1 << 20)}, [bound])
        with socket.create_connection(bound.getsockname(), timeout=60) as client:
            assert client.recv(100).startswith(b"220")


def test_child_whose_supervisor_is_killed_while_it_loads_lets_go_of_the_sockets():
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False, timeout=60)
    port = int(done.stdout)

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise AssertionError("a process that nobody watches still holds the port")
