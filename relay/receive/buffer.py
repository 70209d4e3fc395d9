"""Input buffer of one connection: bytes received and not yet used, read as lines or as they are. Bounded.

While more than `_HIGH` bytes wait, the socket is not read, so TCP slows the client down.
"""

from __future__ import annotations

from typing import Protocol

_HIGH = 128 << 10
_LOW = 32 << 10
_MAX_SKIPPED = 16 << 20
_CR = 13


class PausableReader(Protocol):
    """The reading side of a transport."""

    def pause_reading(self) -> None:
        """Stop reading the socket, so that TCP slows the client down."""

    def resume_reading(self) -> None:
        """Read the socket again."""


class LineTooLong(Exception):
    """A line was longer than allowed; it has been skipped up to its end."""


class EndlessLine(Exception):
    """A line is far too long and still has no end."""


class Buffer:
    """The client's bytes, in order."""

    def __init__(self, limit: int) -> None:
        """A line may have `limit` bytes."""
        self._limit = limit
        self._data = b""
        self._at = 0
        self._skipped = 0
        self.paused = False
        """True while `source` is not read."""

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes, source: PausableReader) -> None:
        """Append `data` from `source`; pause `source` if too much waits."""
        self._data = self._data[self._at :] + data if len(self._data) > self._at else data
        self._at = 0
        if len(self._data) > _HIGH and not self.paused:
            source.pause_reading()
            self.paused = True

    def resume_if_drained(self, source: PausableReader) -> None:
        """Read `source` again if it was paused and enough of the buffer is free."""
        if self.paused and len(self) < _LOW:
            self.paused = False
            source.resume_reading()

    def line(self) -> bytes | None:
        """Return the next line without its CRLF or LF, None if it is not complete yet.

        Raises LineTooLong if it exceeded the limit, EndlessLine if it exceeds `_MAX_SKIPPED` and still goes on.
        """
        start = self._at
        end = self._data.find(b"\n", start)
        if end < 0:
            self._skip_long_line()
            return None
        self._at = end + 1
        if self._skipped or end - start > self._limit + 1:
            self._skipped = 0
            raise LineTooLong
        return self._data[start : end - 1 if end > start and self._data[end - 1] == _CR else end]

    def _skip_long_line(self) -> None:
        """Discard the part of an incomplete line that already exceeds the limit."""
        if len(self) + self._skipped <= self._limit + 1:
            return
        self._skipped += len(self)
        self.clear()
        if self._skipped > _MAX_SKIPPED:
            raise EndlessLine

    def starts_with(self, prefix: bytes) -> bool:
        """True if the buffer is not empty and its next bytes are `prefix`."""
        return self._data.startswith(prefix, self._at)

    def take(self) -> bytes:
        """Return and remove all buffered bytes."""
        data = self._data[self._at :] if self._at else self._data
        self.clear()
        return data

    def unread(self, data: bytes) -> None:
        """Put `data` back, to be read first. Only allowed directly after `take`."""
        self._data = data

    def clear(self) -> None:
        """Discard all buffered bytes (as after STARTTLS: RFC 3207, section 4.2)."""
        self._data, self._at = b"", 0
