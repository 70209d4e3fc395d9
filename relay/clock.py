"""Read the wall clock (for the loops only).

All other code takes `now` as an argument. A tick reads the clock once, so that all its steps use the same time.
"""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)
