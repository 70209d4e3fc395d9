"""Byte-bounded memoization of pure text functions, for texts that come often, like the stack of a repeated error.

Used by the pure core. Guarantee: a cached result equals the result of the function. The cache takes at most the given
number of bytes, whatever texts come and however many. A lookup takes constant time. The cache is in memory only.
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
"""Bytes of an entry in addition to its text: its place in the table, and the objects of the result."""


class Memoized(Generic[Text, *Rest, T]):
    """A function of a text, and optionally of a few small arguments, with a cache of its results.

    The cache has two generations. New results, and results that are used again, are in the young one. When the young
    one has taken half of the bytes, it becomes the old one. The former old one is dropped with all results that were
    not used since.
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
        """Return the function's result, from the cache if it is there."""
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
        """Empty the cache."""
        self._young, self._old, self._bytes = {}, {}, 0

    def cache_parameters(self) -> dict[str, int]:
        """Return the largest number of bytes and of entries in the cache."""
        return {"bytes": self._size, "maxsize": self._size // OVERHEAD}


def memoized(
    *, size: int, largest: int, times: int = 1
) -> Callable[[Callable[[Text, *Rest], T]], Memoized[Text, *Rest, T]]:
    """Cache the results of a pure function, which is called with positional arguments only, in at most `size` bytes.

    The result for a text of more than `largest` bytes is not cached. A text and its result are estimated at `times` the
    bytes of the text. A text of `largest` bytes must fit into half of `size`.
    """
    return lambda function: Memoized(function, size=size, largest=largest, times=times)
