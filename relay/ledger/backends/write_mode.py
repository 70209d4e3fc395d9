"""How a transaction that writes gets along with the others (see `postgres`; on SQLite each is alone anyway)."""

from enum import Enum, auto


class Gate(Enum):
    """Whom it lets in beside it."""

    TOGETHER = auto()
    """Others that sort: each locks the groups it changes."""
    ALONE = auto()
    """Nobody: what it reads stands still."""
    PASSED_BY = auto()
    """Anybody: it changes single rows, by UPDATEs that check what they change."""
