"""Reads the wall clock, for the loops alone.

Everything else takes `now` as an argument: one tick reads the clock once, so that
all that happens in it agrees on the moment.
"""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)
