"""Many connections to a real relay: limited in total and per address, and active clients are served."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.endurance.crowd_clients import (
    ADDRESSES,
    LARGE,
    close_all,
    connect_idle,
    open_descriptors,
    peak_memory,
    require_descriptors,
    was_closed,
)
from tests.support.processes import Relay, wait_for
from tests.support.receiving import RawClient

pytestmark = pytest.mark.e2e

MEMORY_LIMIT = 120.0
"""MiB of memory that a process may use."""


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    return Relay(tmp_path / "relay")


class ActiveClients:
    """Three active clients: a persistent connection, one with a half-sent mail, and a new connection for each mail."""

    def __init__(self, port: int, address: str) -> None:
        self._port, self._address = port, address
        self._persistent = RawClient(port, address=address).greet()
        self._slow = RawClient(port, address=address).greet().begin_data()
        self.mails = 1

    def send(self) -> None:
        assert self._persistent.mail(b"KeyError: kept\r\n") == "250 2.6.0"
        self._slow.send(b"a line of it\r\n")
        new = RawClient(self._port, address=self._address).greet()
        assert new.mail(b"KeyError: new\r\n") == "250 2.6.0"
        new.close()
        self.mails += 2

    def finish(self) -> None:
        assert self._slow.say(b".") == "250 2.6.0"
        close_all([self._persistent, self._slow])


@pytest.mark.parametrize(("number", "addresses", "most"), [(700, ADDRESSES[:1], 500), (2000, ADDRESSES, 1000)])
def test_longest_idle_clients_are_closed_and_active_ones_are_served(
    relay: Relay, number: int, addresses: list[str], most: int
):
    """700 from one address, and 2,000 from eight, where the total limit applies."""
    require_descriptors(number + 100)
    with relay:
        receiver = wait_for(lambda: relay.child("receiver"), "the receiver")
        active = ActiveClients(relay.smtp_port, addresses[0])
        idle: list[RawClient] = []
        for place in range(number):
            idle.append(connect_idle(relay.smtp_port, addresses[place % len(addresses)]))
            if place % 100 == 0:
                active.send()
        wait_for(lambda: open_descriptors(receiver) < most + 50, "the excess clients to be closed")
        remaining = [place for place, client in enumerate(idle) if not was_closed(client)]
        memory = peak_memory(receiver)
        active.finish()
        close_all(idle)

        assert most - 5 <= len(remaining) <= most
        assert remaining == list(range(number - len(remaining), number)), "not the longest-idle clients were closed"
        assert memory < MEMORY_LIMIT
        wait_for(lambda: relay.status()["received"] == active.mails, "all mails to be ingested")


def test_new_clients_are_served_beside_500_idle_ones(relay: Relay):
    require_descriptors(700)
    with relay:
        idle = [connect_idle(relay.smtp_port) for _ in range(500)]

        def send(number: int) -> str:
            client = RawClient(relay.smtp_port).greet()
            code = client.mail(b"KeyError: %d\r\n" % (number % 7))
            client.close()
            return code

        with ThreadPoolExecutor(16) as pool:
            codes = set(pool.map(send, range(400)))
        close_all(idle)

        assert codes == {"250 2.6.0"}
        wait_for(lambda: relay.status()["received"] == 400, "all mails to be ingested")


def test_500_clients_in_one_burst_are_all_served(relay: Relay):
    """All connect at once. A client dropped by the kernel at a full backlog waits for a greeting that never comes."""
    require_descriptors(700)
    with relay:
        codes = asyncio.run(_burst(relay.smtp_port, 500))

        assert set(codes) == {b"250"}


async def _burst(port: int, clients: int) -> list[bytes]:
    return await asyncio.gather(*(_send_one(port) for _ in range(clients)))


async def _send_one(port: int) -> bytes:
    """Send a mail; return the code of the last reply, b"" if there is none in time."""
    reply = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(40):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for command in (
                b"",
                b"HELO a\r\n",
                b"MAIL FROM:<a@b>\r\n",
                b"RCPT TO:<c@d>\r\n",
                b"DATA\r\n",
                b"It broke.\r\n.\r\n",
            ):
                writer.write(command)
                reply = await reader.readline()
            writer.close()
    return reply[:3]


def test_many_large_mails_at_once_are_accepted_in_bounded_memory(relay: Relay):
    """300 mails of 300 KB in transfer at once: 90 MB if all of each were kept."""
    require_descriptors(700)
    with relay:
        receiver = wait_for(lambda: relay.child("receiver"), "the receiver")
        clients = [
            RawClient(relay.smtp_port, address=ADDRESSES[number % 8]).greet().begin_data() for number in range(300)
        ]
        for client in clients:
            client.send(LARGE)
        codes = {client.say(b".") for client in clients}
        close_all(clients)

        assert codes == {"250 2.6.0"}
        assert peak_memory(receiver) < MEMORY_LIMIT
        status = relay.status()
        assert status["received"] + status["spooled_unsorted"] == 300


def test_clients_that_send_without_reading_replies_take_bounded_memory(relay: Relay):
    """200 clients that pipeline commands as long as the relay reads them."""
    require_descriptors(700)
    with relay:
        receiver = wait_for(lambda: relay.child("receiver"), "the receiver")
        clients = [
            RawClient(relay.smtp_port, receive_buffer=2048, address=ADDRESSES[n % 8]).greet() for n in range(200)
        ]
        flood = b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<c@d>\r\n" * 20_000
        threads = [threading.Thread(target=_send, args=(client, flood)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        memory = peak_memory(receiver)
        close_all(clients)

        assert memory < MEMORY_LIMIT
        next_client = RawClient(relay.smtp_port).greet()
        assert next_client.mail(b"KeyError: next_client\r\n") == "250 2.6.0"
        next_client.close()


def _send(client: RawClient, data: bytes) -> None:
    client.socket.settimeout(2)
    with contextlib.suppress(OSError):
        client.send(data)
