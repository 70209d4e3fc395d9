"""What a memoized function of the relay holds."""

import sys
from typing import Any

from relay.memo import OVERHEAD


def bytes_held(function: Any) -> int:
    """Bytes that what it remembers takes."""
    return sum(
        sys.getsizeof(key[0]) * function._times + OVERHEAD for each in (function._young, function._old) for key in each
    )
