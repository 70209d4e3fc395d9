"""What the receiver is compared with, a process each: `python -m benchmarks.harness.peers KIND [--certificate FILE]`.

    aiosmtpd   aiosmtpd as it comes, on uvloop, with a handler that does nothing
    protocol   a bare Protocol on uvloop that speaks just enough SMTP and keeps nothing: the ceiling of Python
    durable    the same with our spool: 250 comes after the sync

Prints its port once it listens.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import ssl
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import uvloop
from aiosmtpd.smtp import SMTP

from relay.model import Envelope, IncomingMail, Retained
from relay.spool import SpoolWriter

_ENVELOPE = Envelope(sender="a@example.com", recipients=("b@example.com",), peer="127.0.0.1")


class Discard:
    """aiosmtpd's handler."""

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802 -- the library's name
        """Take a mail."""
        return "250 OK"


class Bare(asyncio.Protocol):
    """Just enough SMTP for a load generator."""

    senders: ClassVar[set[Bare]] = set()
    """Those in the middle of their mail."""

    def __init__(self, spool: SpoolWriter | None, context: ssl.SSLContext | None) -> None:
        self._spool = spool
        self._context = context
        self._data = b""
        self._content = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass
        self._transport.write(b"220 bare ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer line by line, and mails at their end."""
        data, out = self._data + data, b""
        while (end := data.find(b"\r\n.\r\n" if self._content else b"\r\n")) >= 0:
            if self._content:
                content, data = data[: end + 2], data[end + 5 :]
                self._content = False
                out += self._take(content)
            else:
                line, data = data[:end], data[end + 2 :]
                out += self._answer(line[:4].upper())
        self._data = data
        if out:
            self._transport.write(out)

    def _answer(self, verb: bytes) -> bytes:
        if verb == b"MAIL":
            self.senders.add(self)
        if verb == b"DATA":
            self._content = True
            return b"354 Go\r\n"
        if verb == b"QUIT":
            self._transport.write(b"221 Bye\r\n")
            self._transport.close()
            return b""
        if verb == b"STAR":
            self._transport.pause_reading()
            self._transport.write(b"220 Ready\r\n")
            self._upgrade = asyncio.ensure_future(self._shake_hands())
            return b""
        return b"250 OK\r\n" if verb != b"EHLO" else b"250-bare\r\n250 STARTTLS\r\n"

    async def _shake_hands(self) -> None:
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self._transport, self, self._context, server_side=True)  # type: ignore[arg-type]
        self._transport = secured  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting: the client has disconnected."""
        self.senders.discard(self)

    def _take(self, content: bytes) -> bytes:
        if self._spool is None:
            return b"250 OK\r\n"
        self.senders.discard(self)
        now, size = datetime.now(UTC), len(content)
        mail = IncomingMail(received_at=now, envelope=_ENVELOPE, retained=Retained.WHOLE, content=content, size=size)
        self._spool.submit(mail, done=lambda _: self._transport.write(b"250 OK\r\n"), more=lambda _: bool(self.senders))
        return b""


def factory(kind: str, context: ssl.SSLContext | None, folder: Path) -> Callable[[], asyncio.BaseProtocol]:
    """Return what makes the protocol of a connection."""
    if kind == "aiosmtpd":
        loop = asyncio.get_running_loop()
        return lambda: SMTP(Discard(), hostname="bare", tls_context=context, loop=loop)
    return functools.partial(Bare, SpoolWriter.open(folder) if kind == "durable" else None, context)


async def serve(kind: str, certificate: str) -> None:
    """Listen until killed."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        server = await asyncio.get_running_loop().create_server(
            factory(kind, context, Path(folder)), "127.0.0.1", 0, backlog=128
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("aiosmtpd", "protocol", "durable"))
    parser.add_argument("--certificate", default="")
    options = parser.parse_args()
    uvloop.run(serve(options.kind, options.certificate))
