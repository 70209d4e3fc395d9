"""A crowd at the door of the relay as it is run: capped in all and for each address, and who behaves is served."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.endurance.crowd_clients import ADDRESSES, LARGE, close, come, descriptors, gone, have_descriptors, peak
from tests.support.processes import Relay, wait_for
from tests.support.receiving import RawClient

pytestmark = pytest.mark.e2e

PROMISED = 120.0
"""MiB that a process may take, whatever comes."""


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    return Relay(tmp_path / "relay")


class Behaving:
    """A client that keeps its connection, one with a mail half sent, and one that comes anew for each mail."""

    def __init__(self, port: int, address: str) -> None:
        self._port, self._address = port, address
        self._kept = RawClient(port, address=address).greet()
        self._slow = RawClient(port, address=address).greet().begin_data()
        self.mails = 1

    def go_on(self) -> None:
        assert self._kept.mail(b"KeyError: kept\r\n") == "250 2.6.0"
        self._slow.send(b"a line of it\r\n")
        new = RawClient(self._port, address=self._address).greet()
        assert new.mail(b"KeyError: new\r\n") == "250 2.6.0"
        new.close()
        self.mails += 2

    def end(self) -> None:
        assert self._slow.say(b".") == "250 2.6.0"
        close([self._kept, self._slow])


@pytest.mark.parametrize(("number", "addresses", "most"), [(700, ADDRESSES[:1], 500), (2000, ADDRESSES, 1000)])
def test_longest_idle_clients_are_closed_and_active_ones_are_served(
    relay: Relay, number: int, addresses: list[str], most: int
):
    """700 from one address, and 2,000 from eight, where it is the cap in all that counts."""
    have_descriptors(number + 100)
    with relay:
        receiver = wait_for(lambda: relay.child("receiver"), "the receiver")
        behaving = Behaving(relay.smtp_port, addresses[0])
        idle: list[RawClient] = []
        for place in range(number):
            idle.append(come(relay.smtp_port, addresses[place % len(addresses)]))
            if place % 100 == 0:
                behaving.go_on()
        wait_for(lambda: descriptors(receiver) < most + 50, "those who are told to leave to have left")
        there = [place for place, client in enumerate(idle) if not gone(client)]
        memory = peak(receiver)
        behaving.end()
        close(idle)

        assert most - 5 <= len(there) <= most
        assert there == list(range(number - len(there), number)), "not the longest idle went"
        assert memory < PROMISED
        wait_for(lambda: relay.status()["received"] == behaving.mails, "all mails to be sorted")


def test_new_clients_are_served_beside_500_idle_ones(relay: Relay):
    have_descriptors(700)
    with relay:
        idle = [come(relay.smtp_port) for _ in range(500)]

        def send(number: int) -> str:
            client = RawClient(relay.smtp_port).greet()
            code = client.mail(b"KeyError: %d\r\n" % (number % 7))
            client.close()
            return code

        with ThreadPoolExecutor(16) as pool:
            codes = set(pool.map(send, range(400)))
        close(idle)

        assert codes == {"250 2.6.0"}
        wait_for(lambda: relay.status()["received"] == 400, "all mails to be sorted")


def test_500_clients_in_one_burst_are_all_served(relay: Relay):
    """All connect at once: whom the kernel drops at a full backlog would wait for a greeting that never comes."""
    have_descriptors(700)
    with relay:
        answers = asyncio.run(_burst(relay.smtp_port, 500))

        assert set(answers) == {b"250"}


async def _burst(port: int, clients: int) -> list[bytes]:
    return await asyncio.gather(*(_one_of_many(port) for _ in range(clients)))


async def _one_of_many(port: int) -> bytes:
    """Send a mail; return the code of the answer to it, nothing where there is none in time."""
    answer = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(40):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for said in (
                b"",
                b"HELO a\r\n",
                b"MAIL FROM:<a@b>\r\n",
                b"RCPT TO:<c@d>\r\n",
                b"DATA\r\n",
                b"It broke.\r\n.\r\n",
            ):
                writer.write(said)
                answer = await reader.readline()
            writer.close()
    return answer[:3]


def test_many_large_mails_at_once_are_accepted_in_bounded_memory(relay: Relay):
    """300 of 300 KB, all under way at the same time: 90 MB if all of each were kept."""
    have_descriptors(700)
    with relay:
        receiver = wait_for(lambda: relay.child("receiver"), "the receiver")
        clients = [
            RawClient(relay.smtp_port, address=ADDRESSES[number % 8]).greet().begin_data() for number in range(300)
        ]
        for client in clients:
            client.send(LARGE)
        codes = {client.say(b".") for client in clients}
        close(clients)

        assert codes == {"250 2.6.0"}
        assert peak(receiver) < PROMISED
        status = relay.status()
        assert status["received"] + status["spooled_unsorted"] == 300


def test_clients_that_send_without_reading_replies_take_bounded_memory(relay: Relay):
    """200 that pipeline commands for as long as they are heard."""
    have_descriptors(700)
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
        memory = peak(receiver)
        close(clients)

        assert memory < PROMISED
        behind = RawClient(relay.smtp_port).greet()
        assert behind.mail(b"KeyError: behind\r\n") == "250 2.6.0"
        behind.close()


def _send(client: RawClient, data: bytes) -> None:
    client.socket.settimeout(2)
    with contextlib.suppress(OSError):
        client.send(data)
