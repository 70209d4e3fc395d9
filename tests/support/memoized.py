"""Measure the memory of a memoized function."""

import sys
from typing import Any

from relay.memo import OVERHEAD


def bytes_held(function: Any) -> int:
    """Return the bytes that its memoized results take."""
    return sum(
        sys.getsizeof(key[0]) * function._times + OVERHEAD for each in (function._young, function._old) for key in each
    )
