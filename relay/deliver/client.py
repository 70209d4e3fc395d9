"""One connection to the upstream: aiosmtplib's client, made strict, impatient and quick to let go.

What is different here from aiosmtplib as it comes:
- a reply whose lines carry different codes is no reply (RFC 5321 section 4.2.1), and neither is one
  that came before its command: a server out of step would have its words taken for other commands;
- DATA and the content are two steps, so that the caller knows from which moment on a letter may have been taken;
- all addresses of a host are tried side by side (RFC 8305), a look-up that hangs holds up nothing but itself;
- a connection is dropped, not closed in good order, where the other side no longer reads.

aiosmtplib bounds a line (8 KiB) and a reply (32 KiB), and discards what was said in clear before a TLS handshake.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol, normalize_message_line_endings

NO_REPLY = -1
"""The code aiosmtplib gives to what cannot be read as a reply."""
SHUT_WITHIN = 1.0
"""Seconds that saying goodbye and letting go may take each."""


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose look-ups run in threads of their own that nobody waits for, and that leaves no socket open.

    The resolver cannot be interrupted; asyncio's own threads are joined when the loop closes, and a dead name
    server would hold up the relay's end for half a minute. Of several addresses tried side by side, asyncio loses
    sight of one that answers in the very moment in which the try ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tried: list[socket.socket] = []

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect as asyncio does. Raises OSError."""
        self._tried.append(sock)
        await super().sock_connect(sock, address)

    def close(self) -> None:
        """Close the loop, and each connection that was begun on it."""
        super().close()
        for sock in self._tried:
            sock.close()

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> list[Any]:
        """Resolve as `socket.getaddrinfo` does. Raises OSError, also for a name that cannot be one."""
        found: asyncio.Future[list[Any]] = self.create_future()

        def tell(settle: Callable[..., None], outcome: object) -> None:
            if not found.done():  # cancelled: the try is over
                settle(outcome)

        def look_up() -> None:
            news: tuple[Callable[..., None], object]
            try:
                news = (found.set_result, socket.getaddrinfo(host, port, **hints))
            except OSError as error:
                news = (found.set_exception, error)
            except UnicodeError:
                news = (found.set_exception, socket.gaierror(socket.EAI_NONAME, "this is no host name"))
            with suppress(RuntimeError):  # the loop is gone: nobody wants to know any more
                self.call_soon_threadsafe(tell, *news)

        threading.Thread(target=look_up, name="resolve", daemon=True).start()
        return await found


class Wire(SMTPProtocol):
    """Reads replies, and tells when the connection is gone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lost: Callable[[SMTPProtocol], None]) -> None:
        super().__init__(loop, lost)
        self.gone = asyncio.Event()

    @property
    def unasked(self) -> bytes:
        """What the server said beyond the last reply."""
        return bytes(self._buffer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        super().connection_lost(exc)
        self.gone.set()

    def _read_response_from_buffer(self) -> aiosmtplib.SMTPResponse | None:
        held = bytes(self._buffer)
        response = super()._read_response_from_buffer()
        if response is not None:
            lines = held[: len(held) - len(self._buffer)].removesuffix(b"\n").split(b"\n")
            if len({line[:3] for line in lines}) > 1:
                raise aiosmtplib.SMTPResponseException(NO_REPLY, f"one reply with several codes: {response}")
        return response


class Client(aiosmtplib.SMTP):
    """One SMTP connection, opened once. Every call takes at most `timeout` seconds unless said otherwise."""

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        super().__init__(hostname=host, port=port, timeout=timeout)
        self._address = (host, port)
        self._wire: Wire | None = None
        self.own_address = ""
        """The address the connection comes from."""

    async def open(self, *, tls: bool) -> None:
        """Connect, over TLS where `tls` is set. Raises OSError, ssl.SSLError or TimeoutError."""
        loop = asyncio.get_running_loop()
        wire = self._wire = Wire(loop, self._on_connection_lost)
        async with asyncio.timeout(self.timeout):
            self.transport, self.protocol = await loop.create_connection(
                lambda: wire, *self._address, ssl=self.tls_context if tls else None, happy_eyeballs_delay=0.25
            )
        self.own_address = str(self.transport.get_extra_info("sockname")[0])

    async def read_reply(self, timeout: float | None) -> aiosmtplib.SMTPResponse:  # noqa: ASYNC109 -- as aiosmtplib has it
        """Return the reply to what was sent outside of a command: the greeting, the word on the content."""
        if self._wire is None:
            raise aiosmtplib.SMTPServerDisconnected("not connected")
        return await self._wire.read_response(timeout)

    @property
    def unasked(self) -> str:
        """What the server said beyond its last reply, "" where it kept to its turn."""
        return self._wire.unasked.decode("utf-8", "replace") if self._wire else ""

    @property
    def largest(self) -> int:
        """Bytes of the largest mail that the server says it takes, 0 where it names none (RFC 1870 section 3)."""
        named = self.esmtp_extensions.get("size", "").strip()
        return int(named) if named.isascii() and named.isdigit() and len(named) <= 20 else 0

    def send_content(self, raw: bytes) -> None:
        """Send a mail's content and the final dot, with dots doubled (RFC 5321 section 4.5.2)."""
        if self._wire is None:
            raise aiosmtplib.SMTPServerDisconnected("not connected")
        lines = normalize_message_line_endings(raw)
        stuffed = lines.replace(b"\r\n.", b"\r\n..")
        self._wire.write((b"." if lines.startswith(b".") else b"") + stuffed + b".\r\n")

    async def leave(self, *, politely: bool) -> None:
        """Let go of the connection, after a QUIT where the dialogue is in order; never raises, never lasts."""
        if politely and self.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self.quit(timeout=min(self.timeout or SHUT_WITHIN, SHUT_WITHIN))
        if self._wire is None or self._wire.transport is None:
            return
        cast(asyncio.Transport, self._wire.transport).abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUT_WITHIN):
                await self._wire.gone.wait()
