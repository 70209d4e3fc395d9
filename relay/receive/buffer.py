"""What has come from the client and was not used yet: lines, or bytes as they came. Bounded.

While more than `_HIGH` bytes wait, the socket is not read: TCP slows the client down.
"""

from __future__ import annotations

from typing import Protocol

_HIGH = 128 << 10
_LOW = 32 << 10
_MAX_SKIPPED = 16 << 20
_CR = 13


class PausableReader(Protocol):
    """Where the bytes come from: the reading side of a transport."""

    def pause_reading(self) -> None:
        """Let TCP hold the client back."""

    def resume_reading(self) -> None:
        """Go on."""


class LineTooLong(Exception):
    """A line was longer than allowed; it has been skipped up to its end."""


class EndlessLine(Exception):
    """A line has no end; it is not worth waiting for it."""


class Buffer:
    """The client's bytes, in order."""

    def __init__(self, limit: int) -> None:
        """Lines may have `limit` bytes."""
        self._limit = limit
        self._data = b""
        self._at = 0
        self._skipped = 0
        self.paused = False
        """True while the source is not read."""

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes, source: PausableReader) -> None:
        """Take what came from `source`."""
        self._data = self._data[self._at :] + data if len(self._data) > self._at else data
        self._at = 0
        if len(self._data) > _HIGH and not self.paused:
            source.pause_reading()
            self.paused = True

    def resume_if_drained(self, source: PausableReader) -> None:
        """Go on reading `source` where it was paused and there is room again."""
        if self.paused and len(self) < _LOW:
            self.paused = False
            source.resume_reading()

    def line(self) -> bytes | None:
        """Return the next line without its end, CRLF or LF; None where it has not come to its end.

        Raises LineTooLong where it was over the limit, TooMuchNoise where it is far over it and goes on.
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
        """Skip what there is of a line that is too long already."""
        if len(self) + self._skipped <= self._limit + 1:
            return
        self._skipped += len(self)
        self.clear()
        if self._skipped > _MAX_SKIPPED:
            raise EndlessLine

    def starts_with(self, prefix: bytes) -> bool:
        """True where what comes next begins with `prefix`, as far as it has come, and something has."""
        return self._data.startswith(prefix, self._at)

    def take(self) -> bytes:
        """Return all that has come."""
        data = self._data[self._at :] if self._at else self._data
        self.clear()
        return data

    def unread(self, data: bytes) -> None:
        """Put `data` back, to be read first. Only after `take`."""
        self._data = data

    def clear(self) -> None:
        """Forget all that has come (as after STARTTLS: RFC 3207 4.2)."""
        self._data, self._at = b"", 0
