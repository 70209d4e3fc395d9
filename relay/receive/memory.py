"""How much memory all mails under way may take together (receiver → content).

Guarantee: a mail is never refused for it, nor made to wait: where the room is used up, less is kept of a large one.
"""

from __future__ import annotations


class MemoryBudget:
    """Bytes of memory, claimed and given back."""

    __slots__ = ("_size", "taken")

    def __init__(self, size: int) -> None:
        self._size = size
        self.taken = 0
        """Bytes claimed now."""

    def change(self, size: int) -> None:
        """Have `size` bytes from now on; what is claimed stays so."""
        self._size = size

    def claim(self, size: int) -> bool:
        """Take `size` bytes; False, and nothing taken, where there are not so many."""
        if self.taken + size > self._size:
            return False
        self.taken += size
        return True

    def free(self, size: int) -> None:
        """Give back `size` bytes that were claimed."""
        self.taken -= size
