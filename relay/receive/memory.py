"""The memory budget of all mails in transfer (receiver → content).

Guarantee: a mail is never refused for lack of memory and never waits for it. If the budget is used up, less is kept of
a large mail.
"""

from __future__ import annotations


class MemoryBudget:
    """A number of bytes that mails claim and free."""

    __slots__ = ("_size", "claimed")

    def __init__(self, size: int) -> None:
        self._size = size
        self.claimed = 0
        """Bytes claimed now."""

    def change(self, size: int) -> None:
        """Set the budget to `size` bytes; existing claims stay."""
        self._size = size

    def claim(self, size: int) -> bool:
        """Claim `size` bytes. Return False and claim nothing if that exceeds the budget."""
        if self.claimed + size > self._size:
            return False
        self.claimed += size
        return True

    def free(self, size: int) -> None:
        """Free `size` claimed bytes."""
        self.claimed -= size
