"""Processor time, and the loop of plain Python that it is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Processor time, which other processes disturb less than the clock's."""
    start = time.process_time()
    work()
    return time.process_time() - start


def calibration() -> int:
    """A fixed amount of plain Python."""
    return sum(number * number for number in range(100_000))
