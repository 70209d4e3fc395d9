"""Which other writers a write transaction excludes (see `postgres`; SQLite allows only one writer anyway)."""

from enum import Enum, auto


class WriteMode(Enum):
    """Which other write transactions may run at the same time."""

    SHARED = auto()
    """Other SHARED ones: ingest. Each locks the groups that it changes."""
    EXCLUSIVE = auto()
    """None that is SHARED or EXCLUSIVE: what it reads does not change until it ends."""
    UNGATED = auto()
    """All. It only changes single rows, with UPDATEs that check what they change."""
