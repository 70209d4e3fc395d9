"""The bytes after DATA: found the end of, freed of transparency's dots, kept whole or in part.

RFC 5321 4.1.1.4 and 4.5.2: only CRLF.CRLF ends the mail, the first CRLF being its last line's
own (or that of the DATA command), and of a line that begins with a dot the first dot goes.
Bare CR, bare LF, NUL, 8-bit and lines of any length are data.

Guarantee: memory is bounded whatever is sent, in pieces however cut: for one mail here, for all by `MemoryBudget`.
"""

from __future__ import annotations

from relay.model import CUT_MARKER, Retained
from relay.receive.memory import MemoryBudget

MAX_WHOLE = 256 << 10
"""Of a larger mail the first three quarters of this and the last one are kept."""
MIN_RETAINED = 16 << 10
"""The same for a mail that finds no room; each has this much without asking, and asks for four times as much."""

_END_MARK = b"\r\n.\r\n"


class Content:
    """One mail on its way in."""

    def __init__(self, max_size: int, memory: MemoryBudget) -> None:
        """Of a mail over `max_size` bytes nothing is kept; of one that finds no `memory`, little."""
        self.size = 0
        """Bytes of the mail so far, without transparency's dots and the end mark."""
        self.claimed = 0
        """Bytes of the room that it takes, until whoever ends the mail frees them."""
        self._max_size = max_size
        self._memory = memory
        self._bound = MIN_RETAINED
        self._pending = b"\r\n"
        """What may turn out to be part of the end mark; at first the line end before the first line."""
        self._started = False
        self._head = bytearray()
        self._tail: bytearray | None = None

    def feed(self, data: bytes) -> bytes | None:
        """Take the next bytes. Return None while the mail goes on, at its end what came after it."""
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
        """True where the mail is larger than may be."""
        return self.size > self._max_size

    def retained(self) -> tuple[Retained, bytes]:
        """Return how much is kept of a mail that is complete and not too large, and that."""
        if self._tail is None:
            return Retained.WHOLE, bytes(self._head)
        tail = self._tail[-self._bound // 4 :]
        marker = CUT_MARKER % (self.size - len(self._head) - len(tail))
        return Retained.ENDS, bytes(self._head) + marker + bytes(tail)

    def discard(self) -> None:
        """Keep nothing of it, and free its room."""
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
        """Take more room where there is some; where not, go on with both ends."""
        while len(self._head) > self._bound and self._bound < MAX_WHOLE:
            more = self._bound * 6 - self.claimed  # half of it again: a tail is cut back now and then, not at each byte
            if not self._memory.claim(more):
                break
            self.claimed += more
            self._bound *= 4
        if len(self._head) > self._bound:
            self._tail = self._head[self._bound // 4 * 3 :]
            del self._head[self._bound // 4 * 3 :]
            del self._tail[: -self._bound // 4]


def _partial_end_mark(data: bytes) -> int:
    """How many of the last bytes may be the beginning of an end mark."""
    return next((length for length in range(len(_END_MARK) - 1, 0, -1) if data.endswith(_END_MARK[:length])), 0)
