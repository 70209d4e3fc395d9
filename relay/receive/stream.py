"""What has come from the socket and was not used yet, as lines or as it came. Bounded.

While more than `_HIGH` bytes wait, the socket is not read: TCP slows the client down.
"""

from __future__ import annotations

import asyncio

_HIGH = 128 << 10
_LOW = 32 << 10


class LineTooLong(Exception):
    """A line was longer than allowed; it has been skipped up to its end."""


class Stream:
    """The client's bytes, in order; one reader at a time. Reading at the end of them raises EOFError."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended = False
        self._paused = False
        self._transport: asyncio.ReadTransport | None = None
        self._wanted: asyncio.Future[None] | None = None

    def attach(self, transport: asyncio.ReadTransport) -> None:
        """Read from `transport` from now on; what came before the change (of STARTTLS) is dropped: RFC 3207 4.2."""
        self._transport = transport
        self._buffer.clear()
        self._paused = False

    def feed(self, data: bytes) -> None:
        """Take what the socket gave."""
        self._buffer += data
        self._wake()
        if len(self._buffer) > _HIGH and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True

    def feed_eof(self) -> None:
        """Nothing more will come; what has come can still be read."""
        self._ended = True
        self._wake()

    @property
    def empty(self) -> bool:
        """True where reading would have to wait."""
        return not self._buffer

    async def line(self, limit: int) -> bytes:
        """Return the next line without its end, CRLF or LF. Raises LineTooLong where it has over `limit` bytes."""
        end = self._buffer.find(b"\n")
        while end < 0:
            seen = len(self._buffer)
            if seen > limit:
                await self._skip_line()
                raise LineTooLong
            await self._more()
            end = self._buffer.find(b"\n", seen)
        line = self._cut(end + 1)
        if len(line) > limit:
            raise LineTooLong
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    async def some(self) -> bytes:
        """Return all that has come, at least one byte."""
        if not self._buffer:
            await self._more()
        return self._cut(len(self._buffer))

    def unread(self, data: bytes) -> None:
        """Put `data` back, to be read first."""
        self._buffer[:0] = data

    async def _skip_line(self) -> None:
        while (end := self._buffer.find(b"\n")) < 0:
            self._cut(len(self._buffer))
            await self._more()
        self._cut(end + 1)

    def _cut(self, length: int) -> bytes:
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        if self._paused and len(self._buffer) < _LOW and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def _more(self) -> None:
        if self._ended:
            raise EOFError
        self._wanted = asyncio.get_running_loop().create_future()
        try:
            await self._wanted
        finally:
            self._wanted = None

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)
