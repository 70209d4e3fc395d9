# noqa: INP001 -- Python looks for `sitecustomize` beside no package
"""Arms the fail-points of a relay that is started with this folder on PYTHONPATH: then it is a test build.

`RELAY_FAILPOINT` names a file. While it holds a line `ORDER POINT PASS`, the process that passes POINT for the PASS-th
time since it first saw that ORDER takes the file away and ends itself as by kill -9. Whoever takes the file away is
the only one to die, so that an order costs one process.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from relay import failpoint

_orders = Path(os.environ.get("RELAY_FAILPOINT", "/nonexistent"))
_passes: Counter[str] = Counter()


def _die_as_ordered(point: str) -> None:
    try:
        order, wanted, number = _orders.read_text().split()
    except (OSError, ValueError):
        return
    if wanted != point:
        return
    _passes[order] += 1
    if _passes[order] < int(number):
        return
    try:
        _orders.rename(_orders.with_suffix(f".{order}"))
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


failpoint.act = _die_as_ordered
