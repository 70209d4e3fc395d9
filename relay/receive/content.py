"""The content of one mail in transfer: finds the end of DATA, removes dot-stuffing, keeps all of it or both ends.

RFC 5321, sections 4.1.1.4 and 4.5.2: only CRLF.CRLF ends the mail. The first CRLF belongs to the last line (or to the
DATA command). A line that begins with a dot loses that dot. Bare CR, bare LF, NUL, 8-bit bytes and lines of any length
are data.

Guarantee: memory is bounded whatever is sent and however it is cut into pieces. The limit of one mail is set here, that
of all mails together by `MemoryBudget`.
"""

from __future__ import annotations

from relay.model import CUT_MARKER, Retained
from relay.receive.memory import MemoryBudget

MAX_WHOLE = 256 << 10
"""Bytes. Of a larger mail the first three quarters and the last quarter of this are kept."""
MIN_RETAINED = 16 << 10
"""The same limit for a mail that gets no memory. Each mail has this much without a claim, and claims four times as much
next."""

_END_MARK = b"\r\n.\r\n"


class Content:
    """The content of one mail in transfer."""

    def __init__(self, max_size: int, memory: MemoryBudget) -> None:
        """Keep nothing of a mail over `max_size` bytes, at most `MIN_RETAINED` bytes of one that gets no `memory`."""
        self.size = 0
        """Bytes of the mail so far, without dot-stuffing and the end mark."""
        self.claimed = 0
        """Bytes claimed from the memory budget; the code that ends the mail must free them."""
        self._max_size = max_size
        self._memory = memory
        self._bound = MIN_RETAINED
        self._pending = b"\r\n"
        """Bytes that may be part of the end mark; at first the line end before the first line."""
        self._started = False
        self._head = bytearray()
        self._tail: bytearray | None = None

    def feed(self, data: bytes) -> bytes | None:
        """Process the next bytes. Return None while the mail goes on, and at its end the bytes that follow it."""
        data = self._pending + data
        end = data.find(_END_MARK)
        if end >= 0:
            self._append(data[: end + 2])
            return data[end + len(_END_MARK) :]
        split = len(data) - _partial_end_mark(data)
        self._pending = data[split:]
        self._append(data[:split])
        return None

    @property
    def too_large(self) -> bool:
        """True if the mail is larger than allowed."""
        return self.size > self._max_size

    def retained(self) -> tuple[Retained, bytes]:
        """Return how much is kept of a mail that is complete and not too large, and the kept bytes."""
        if self._tail is None:
            return Retained.WHOLE, bytes(self._head)
        tail = self._tail[-self._bound // 4 :]
        marker = CUT_MARKER % (self.size - len(self._head) - len(tail))
        return Retained.ENDS, bytes(self._head) + marker + bytes(tail)

    def discard(self) -> None:
        """Drop the content and free its memory."""
        self._head, self._tail = bytearray(), None
        self._memory.free(self.claimed)
        self.claimed = 0

    def _append(self, data: bytes) -> None:
        data = data.replace(b"\r\n.", b"\r\n")
        if not self._started and data:
            self._started = True
            data = data[2:]
        self.size += len(data)
        if self.too_large:
            self.discard()
        else:
            self._retain(data)

    def _retain(self, data: bytes) -> None:
        if self._tail is not None:
            self._tail += data
            if len(self._tail) > self._bound // 2:
                del self._tail[: -self._bound // 4]
            return
        self._head += data
        if len(self._head) > self._bound:
            self._grow_or_cut()

    def _grow_or_cut(self) -> None:
        """Claim more memory; if there is none, continue with only both ends."""
        while len(self._head) > self._bound and self._bound < MAX_WHOLE:
            # Half as much again: the tail is trimmed now and then, not at each byte.
            more = self._bound * 6 - self.claimed
            if not self._memory.claim(more):
                break
            self.claimed += more
            self._bound *= 4
        if len(self._head) > self._bound:
            self._tail = self._head[self._bound // 4 * 3 :]
            del self._head[self._bound // 4 * 3 :]
            del self._tail[: -self._bound // 4]


def _partial_end_mark(data: bytes) -> int:
    """Return how many of the last bytes may be the beginning of an end mark."""
    return next((length for length in range(len(_END_MARK) - 1, 0, -1) if data.endswith(_END_MARK[:length])), 0)
