"""What is remembered of texts that come again and again, as the stack of a repeated error does (used by the pure core).

Guarantee: the answer is the function's own, whether it was remembered or not; what is remembered takes at most the
bytes it was given, whatever texts come and however many; a text is looked up in one step. It is held in memory alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from sys import getsizeof
from typing import Generic, TypeVar, TypeVarTuple

Text = TypeVar("Text", str, bytes)
Rest = TypeVarTuple("Rest")
T = TypeVar("T")

OVERHEAD = 250
"""Bytes of an entry beside its text: its place in the table and what holds the answer together."""


class Memoized(Generic[Text, *Rest, T]):
    """A function of a text, and maybe of a few small things beside it, that remembers its answers.

    They stand in two generations: new ones and those that were asked for again in the younger. When that has taken half
    of the bytes it becomes the older one, and what nobody asked for since it did last is forgotten.
    """

    def __init__(self, function: Callable[[Text, *Rest], T], *, size: int, largest: int, times: int) -> None:
        """See `memoized`."""
        update_wrapper(self, function)
        self._function: Callable[[Text, *Rest], T] = function
        self._size, self._largest, self._times = size, largest, times
        self._young: dict[tuple[Text, *Rest], tuple[T]] = {}
        self._old: dict[tuple[Text, *Rest], tuple[T]] = {}
        self._bytes = 0

    def __call__(self, text: Text, *rest: *Rest) -> T:
        """The function's answer."""
        key = (text, *rest)
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key) or (self._function(text, *rest),)
            self._keep(key, found)
        return found[0]

    def _keep(self, key: tuple[Text, *Rest], found: tuple[T]) -> None:
        text = getsizeof(key[0])
        if text > self._largest:
            return
        taken = text * self._times + OVERHEAD
        if self._bytes + taken > self._size // 2:
            self._old, self._young, self._bytes = self._young, {}, 0
        self._young[key] = found
        self._bytes += taken

    def cache_clear(self) -> None:
        """Forget everything."""
        self._young, self._old, self._bytes = {}, {}, 0

    def cache_parameters(self) -> dict[str, int]:
        """How many bytes are remembered at most, and how many entries."""
        return {"bytes": self._size, "maxsize": self._size // OVERHEAD}


def memoized(
    *, size: int, largest: int, times: int = 1
) -> Callable[[Callable[[Text, *Rest], T]], Memoized[Text, *Rest, T]]:
    """Remember the answers of a pure function, whose arguments are given by position, in at most `size` bytes.

    For a text of more than `largest` bytes the answer is made each time. With an answer a text is reckoned to take
    `times` its own bytes; `largest` such have room in half of `size`.
    """
    return lambda function: Memoized(function, size=size, largest=largest, times=times)
