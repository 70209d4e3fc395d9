"""How much of anything one receiver takes. Plain values: the receiver does without the configuration's library."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes are bytes, durations seconds."""

    hostname: str = "localhost"
    """What it calls itself in its greeting."""
    max_size: int = 32 << 20
    """Of a mail, as RFC 1870 counts it; more is read to its end and then refused."""
    idle_timeout: float = 300.0
    """What a client may take for one command, or for all of DATA."""
    max_connections: int = 1000
    recipients: int = 100
    """Kept of one mail; what every server must take (RFC 5321 4.5.3.1.8)."""
    errors: int = 20
    """Wrong commands in a row, without a mail between them, before the connection ends."""
    idle_commands: int = 100
    """Commands that lead to nothing (NOOP, RSET and their like), likewise."""
    auth_failures: int = 3
    stop_within: float = 4.0
    """What transactions under way may take when the receiver stops."""
    username: str = ""
    password: str | None = field(default=None, repr=False)
    """Set: AUTH is required and checked. None: AUTH is offered, and any credentials will do."""
