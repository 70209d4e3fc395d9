"""Thousands of clients of a real receiver, from one loopback address or from several."""

from __future__ import annotations

import re
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.receiving import RawClient

ADDRESSES = [f"127.0.0.{number}" for number in range(2, 10)]
LARGE = b"".join(b"%08d\r\n" % number for number in range(30_000))
"""A mail of 300 KB, larger than what is stored whole."""


def require_descriptors(number: int) -> None:
    """Allow this process to open `number` files; skip the test if that is not permitted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        pytest.skip(f"this user may open {hard} files, {number} are needed (ulimit -n)")
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def connect_idle(port: int, address: str = "127.0.0.1") -> RawClient:
    """Return a client from `address` that was greeted and sends nothing."""
    client = RawClient(port, address=address)
    assert client.code() == "220"
    client.socket.setblocking(False)
    return client


def was_closed(client: RawClient) -> bool:
    """Return whether the relay closed this idle client."""
    try:
        return client.socket.recv(200)[:10] in (b"", b"421 4.3.2 ")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def peak_memory(process: int) -> float:
    """Return the peak resident memory of a process in MiB (VmHWM, proc(5))."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) / 1024


def open_descriptors(process: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def close_all(clients: Sequence[RawClient]) -> None:
    """Close all clients."""
    for client in clients:
        client.close()
