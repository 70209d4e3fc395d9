"""A load of our own, as a process: `python -m benchmarks.harness.load PORT`; prints one line of JSON.

For what Postfix's smtp-source cannot do: STARTTLS, a steady rate, the time to each 250. As light as Python allows: the
load is what is measured where it takes more of its core than the server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import time
from dataclasses import dataclass, field

import uvloop

_ENVELOPE = (b"MAIL FROM:<app@example.com>\r\n", b"RCPT TO:<admin@example.com>\r\n", b"DATA\r\n")
_MAIL = b"Subject: Failed\r\n\r\n" + b"x" * 70 + b"\r\n"


@dataclass
class Load:
    """What is to be sent, and what came of it."""

    port: int
    mails: int
    size: int
    kept: bool
    starttls: bool
    rate: float
    """Mails a second over all clients; 0: as fast as it goes."""
    pipelined: bool = False
    """MAIL, RCPT and DATA go in one packet (RFC 2920): a third of the load's own work."""
    times: list[float] = field(default_factory=list)
    """Seconds from the final dot to its 250."""
    failures: int = 0

    def __post_init__(self) -> None:
        self._left = iter(range(self.mails))
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._content = _MAIL + (b"y" * 98 + b"\r\n") * max(0, (self.size - len(_MAIL)) // 100) + b".\r\n"
        self._began = time.monotonic()

    async def client(self) -> None:
        """Send mails until none is left."""
        talk = None
        for number in self._left:
            if self.rate:
                await asyncio.sleep(max(0.0, self._began + number / self.rate - time.monotonic()))
            talk = talk or await self._connect()
            await self._send(talk)
            if not self.kept:
                await talk.leave()
                talk = None
        if talk:
            await talk.leave()

    async def _connect(self) -> Talk:
        loop = asyncio.get_running_loop()
        talk = Talk()
        heard = talk.expect(1)
        await loop.create_connection(lambda: talk, "127.0.0.1", self.port)
        await heard
        await talk.say(b"EHLO load.example\r\n")
        if self.starttls:
            await talk.say(b"STARTTLS\r\n")
            secured = await loop.start_tls(talk.wire, talk, self._context)
            assert secured is not None
            talk.wire = secured
            await talk.say(b"EHLO load.example\r\n")
        return talk

    async def _send(self, talk: Talk) -> None:
        if self.pipelined:
            await talk.say(b"".join(_ENVELOPE), replies=len(_ENVELOPE))
        else:
            for line in _ENVELOPE:
                await talk.say(line)
        began = time.perf_counter()
        reply = await talk.say(self._content)
        self.times.append(time.perf_counter() - began)
        self.failures += not reply.startswith(b"250")


class Talk(asyncio.Protocol):
    """A client's end of a session: says something, and waits for the replies to it."""

    def __init__(self) -> None:
        self.wire: asyncio.Transport
        self._heard = b""
        self._missing = 0
        self._answer: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.wire = transport  # type: ignore[assignment]  # uvloop's is no subclass

    def expect(self, replies: int) -> asyncio.Future[bytes]:
        """The last of so many replies."""
        self._missing, self._answer = replies, asyncio.get_running_loop().create_future()
        return self._answer

    def say(self, data: bytes, replies: int = 1) -> asyncio.Future[bytes]:
        """Send `data`; the last of the replies to it. It has ConnectionError where the connection ends before."""
        self.wire.write(data)
        return self.expect(replies)

    def data_received(self, data: bytes) -> None:
        """Count replies; the last line of each has a blank behind its code (RFC 5321, section 4.2.1)."""
        *lines, self._heard = (self._heard + data).split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-":
                self._missing -= 1
                if not self._missing:
                    self._answer.set_result(line)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave nobody waiting."""
        if self._missing > 0 and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError())

    async def leave(self) -> None:
        """End the session."""
        await self.say(b"QUIT\r\n")
        self.wire.close()


async def run(load: Load, clients: int) -> None:
    """Send with so many clients and print."""
    began = time.monotonic()
    await asyncio.gather(*(load.client() for _ in range(clients)))
    times = sorted(load.times)
    found = {
        "seconds": time.monotonic() - began,
        "mails": len(times),
        "failures": load.failures,
        "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--starttls", action="store_true")
    parser.add_argument("--pipelined", action="store_true")
    options = vars(parser.parse_args())
    clients = options.pop("clients")
    uvloop.run(run(Load(**options), clients))
