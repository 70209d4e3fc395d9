"""Named points between two writes, at which a test can end the process (spool, ledger, steps → tests).

In the relay as it is installed a point is a call that returns at once: nothing in the program arms one, no setting
and no variable. A *test build* is the same program with `tests/support/failing` on PYTHONPATH, where Python finds a
`sitecustomize` that puts a function of its own into `act` (docs/reliability.md, "Kills").
"""

from __future__ import annotations

from collections.abc import Callable

act: Callable[[str], None] | None = None
"""What is called with the name of each point that is passed."""


def reach(point: str) -> None:
    """Pass the point of that name, e.g. `spool.sync`: what stands before it is done, what stands behind it is not."""
    if act is not None:
        act(point)
