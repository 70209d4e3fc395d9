"""Failpoints: named points between two writes, at which a test can kill the process (spool, ledger, steps → tests).

In an installed relay a failpoint is a call that returns at once. No code, setting or environment variable of the
program arms one. A *test build* is the same program with `tests/support/failing` on PYTHONPATH: a `sitecustomize` there
sets `act` to its own function (docs/reliability.md, "Kills").
"""

from __future__ import annotations

from collections.abc import Callable

act: Callable[[str], None] | None = None
"""The function that is called with the name of each failpoint, if any."""


def reach(point: str) -> None:
    """Pass the failpoint `point`, for example `spool.sync`. The code before it is done, the code after it is not."""
    if act is not None:
        act(point)
