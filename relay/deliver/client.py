"""One connection to the upstream: aiosmtplib's client with strict replies, short timeouts and a quick close.

Differences from plain aiosmtplib:
- A reply whose lines have different codes is invalid (RFC 5321 section 4.2.1), and so is a reply that arrives before
  its command. Otherwise a server that is out of step would have its replies matched to the wrong commands.
- DATA and the content are two steps, so that the caller knows the time from which on the server may have the message.
- All addresses of a host are tried side by side (RFC 8305). A hanging look-up delays nothing but itself.
- At the end the connection is aborted, not closed in order: a server that no longer reads cannot keep it open.

aiosmtplib limits a line (8 KiB) and a reply (32 KiB), and discards unencrypted input before a TLS handshake.
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

from relay.deliver.transcript import Transcript

NO_REPLY = -1
"""The code that aiosmtplib gives to input that is not a reply."""
CLOSE_TIMEOUT = 1.0
"""Seconds that QUIT and the close of the connection may take each."""


class EventLoop(asyncio.SelectorEventLoop):
    """An event loop that resolves names in threads of its own, waits for none of them, and leaves no socket open.

    The resolver cannot be interrupted. asyncio joins its own threads when the loop closes, so a dead name server would
    delay the relay's stop by half a minute. asyncio also tries several addresses side by side, and leaves open a
    socket that connects at the very time at which the try ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sockets: list[socket.socket] = []

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect as asyncio does. Raises OSError."""
        self._sockets.append(sock)
        await super().sock_connect(sock, address)

    def close(self) -> None:
        """Close the loop, and each socket that it began to connect."""
        super().close()
        for sock in self._sockets:
            sock.close()

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> list[Any]:
        """Resolve as `socket.getaddrinfo` does. Raises OSError, also for a name that is not valid."""
        result: asyncio.Future[list[Any]] = self.create_future()

        def finish(settle: Callable[..., None], outcome: object) -> None:
            if not result.done():  # cancelled: the try is over
                settle(outcome)

        def resolve() -> None:
            outcome: tuple[Callable[..., None], object]
            try:
                outcome = (result.set_result, socket.getaddrinfo(host, port, **hints))
            except OSError as error:
                outcome = (result.set_exception, error)
            except UnicodeError:
                outcome = (result.set_exception, socket.gaierror(socket.EAI_NONAME, "this is not a host name"))
            with suppress(RuntimeError):  # the loop is closed: the result is not needed any more
                self.call_soon_threadsafe(finish, *outcome)

        threading.Thread(target=resolve, name="resolve", daemon=True).start()
        return await result


class StrictProtocol(SMTPProtocol):
    """aiosmtplib's protocol, which refuses replies with different codes and signals the end of the connection."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, lost: Callable[[SMTPProtocol], None], transcript: Transcript | None
    ) -> None:
        super().__init__(loop, lost)
        self.closed = asyncio.Event()
        self._transcript = transcript

    @property
    def unsolicited(self) -> bytes:
        """The input after the last reply."""
        return bytes(self._buffer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Signal the end of the connection."""
        super().connection_lost(exc)
        self.closed.set()

    def write(self, data: bytes) -> None:
        """Send one command line."""
        if self._transcript:
            self._transcript.sent(data)
        super().write(data)

    def write_content(self, data: bytes) -> None:
        """Send the content."""
        if self._transcript:
            self._transcript.sent_content(len(data))
        super().write(data)

    def _read_response_from_buffer(self) -> aiosmtplib.SMTPResponse | None:
        before = bytes(self._buffer)
        response = super()._read_response_from_buffer()
        if response is not None:
            reply = before[: len(before) - len(self._buffer)]
            if self._transcript:
                self._transcript.received(reply)
            lines = reply.removesuffix(b"\n").split(b"\n")
            if len({line[:3] for line in lines}) > 1:
                raise aiosmtplib.SMTPResponseException(NO_REPLY, f"one reply with several codes: {response}")
        return response


class Client(aiosmtplib.SMTP):
    """One SMTP connection, opened once. Every call takes at most `timeout` seconds, unless its docstring differs."""

    def __init__(self, host: str, port: int, *, timeout: float, transcript: Transcript | None = None) -> None:
        super().__init__(hostname=host, port=port, timeout=timeout)
        self._transcript = transcript
        self._address = (host, port)
        self._connection: StrictProtocol | None = None

    async def open(self, *, tls: bool) -> None:
        """Connect; use TLS from the first byte if `tls` is set. Raises OSError, ssl.SSLError or TimeoutError."""
        loop = asyncio.get_running_loop()
        connection = self._connection = StrictProtocol(loop, self._on_connection_lost, self._transcript)
        async with asyncio.timeout(self.timeout):
            self.transport, self.protocol = await loop.create_connection(
                lambda: connection, *self._address, ssl=self.tls_context if tls else None, happy_eyeballs_delay=0.25
            )

    async def read_reply(self, timeout: float | None) -> aiosmtplib.SMTPResponse:  # noqa: ASYNC109 -- as aiosmtplib has it
        """Return a reply that follows no command: the greeting, or the reply to the content.

        Waits at most `timeout` seconds; None: without a limit.
        """
        if self._connection is None:
            raise aiosmtplib.SMTPServerDisconnected("not connected")
        return await self._connection.read_response(timeout)

    @property
    def unsolicited(self) -> str:
        """The server's input after its last reply, "" if there is none."""
        return self._connection.unsolicited.decode("utf-8", "replace") if self._connection else ""

    @property
    def max_message_size(self) -> int:
        """Bytes of the largest mail that the server accepts, 0 if it announces no limit (RFC 1870 section 3)."""
        announced = self.esmtp_extensions.get("size", "").strip()
        return int(announced) if announced.isascii() and announced.isdigit() and len(announced) <= 20 else 0

    def send_content(self, raw: bytes) -> None:
        """Send a mail's content and the final dot, with leading dots doubled (RFC 5321 section 4.5.2)."""
        if self._connection is None:
            raise aiosmtplib.SMTPServerDisconnected("not connected")
        lines = normalize_message_line_endings(raw)
        stuffed = lines.replace(b"\r\n.", b"\r\n..")
        self._connection.write_content((b"." if lines.startswith(b".") else b"") + stuffed + b".\r\n")

    async def disconnect(self, *, send_quit: bool) -> None:
        """End the connection, after QUIT if `send_quit` is set. Never raises; takes at most two `CLOSE_TIMEOUT`s."""
        if send_quit and self.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self.quit(timeout=min(self.timeout or CLOSE_TIMEOUT, CLOSE_TIMEOUT))
        if self._connection is None or self._connection.transport is None:
            return
        cast(asyncio.Transport, self._connection.transport).abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.closed.wait()
