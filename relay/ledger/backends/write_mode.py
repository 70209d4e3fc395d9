"""How a transaction that writes gets along with the others (see `postgres`; on SQLite each is alone anyway)."""

from enum import Enum, auto


class WriteMode(Enum):
    """Whom it lets in beside it."""

    SHARED = auto()
    """Others that sort: each locks the groups it changes."""
    EXCLUSIVE = auto()
    """Nobody: what it reads stands still."""
    UNGATED = auto()
    """Anybody: it changes single rows, by UPDATEs that check what they change."""
