"""Thousands of clients of a real receiver, from one address or from several of the loopback's."""

from __future__ import annotations

import re
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.receiving import RawClient

ADDRESSES = [f"127.0.0.{number}" for number in range(2, 10)]
LARGE = b"".join(b"%08d\r\n" % number for number in range(30_000))
"""A mail of 300 KB, over what is kept whole."""


def have_descriptors(number: int) -> None:
    """Let this process open so many files; skip the test where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        pytest.skip(f"this user may open {hard} files, {number} are needed (ulimit -n)")
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def come(port: int, address: str = "127.0.0.1") -> RawClient:
    """A client from `address` that was greeted and says nothing more."""
    client = RawClient(port, address=address)
    assert client.code() == "220"
    client.socket.setblocking(False)
    return client


def gone(client: RawClient) -> bool:
    """Whether the relay has told this idle client to leave."""
    try:
        return client.socket.recv(200)[:10] in (b"", b"421 4.3.2 ")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def peak(process: int) -> float:
    """The most memory in MiB that a process has had resident (VmHWM, proc(5))."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) / 1024


def descriptors(process: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def close(clients: Sequence[RawClient]) -> None:
    """Have all of them leave."""
    for client in clients:
        client.close()
