"""A load of our own, as a process: `python -m benchmarks.load PORT`; prints one line of JSON.

For what Postfix's smtp-source cannot do: STARTTLS, a steady rate, the time to each 250.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import time
from dataclasses import dataclass, field

import uvloop

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
        wire = None
        for number in self._left:
            if self.rate:
                await asyncio.sleep(max(0.0, self._began + number / self.rate - time.monotonic()))
            wire = wire or await self._connect()
            await self._send(*wire)
            if not self.kept:
                await self._leave(*wire)
                wire = None
        if wire:
            await self._leave(*wire)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await self._reply(reader)
        await self._say(reader, writer, b"EHLO load.example\r\n")
        if self.starttls:
            await self._say(reader, writer, b"STARTTLS\r\n")
            await writer.start_tls(self._context)
            await self._say(reader, writer, b"EHLO load.example\r\n")
        return reader, writer

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (b"MAIL FROM:<app@example.com>\r\n", b"RCPT TO:<admin@example.com>\r\n", b"DATA\r\n")
        if self.pipelined:
            writer.writelines(lines)
        for line in lines:
            await (self._reply(reader) if self.pipelined else self._say(reader, writer, line))
        began = time.perf_counter()
        reply = await self._say(reader, writer, self._content)
        self.times.append(time.perf_counter() - began)
        self.failures += not reply.startswith(b"250")

    async def _leave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(reader, writer, b"QUIT\r\n")
        writer.close()

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
        writer.write(data)
        return await self._reply(reader)

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        while (line := await reader.readline())[3:4] == b"-":
            pass
        if not line:
            raise ConnectionError
        return line


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
