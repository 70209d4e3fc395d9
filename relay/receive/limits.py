"""How much of anything one receiver takes, and from whom. Plain values: it does without the configuration's library."""

from __future__ import annotations

from dataclasses import dataclass, field

LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes are bytes, durations seconds."""

    hostname: str = "localhost"
    """What it calls itself in its greeting."""
    max_size: int = 32 << 20
    """Of a mail, as RFC 1870 counts it; more is read to its end and then refused."""
    idle_timeout: float = 300.0
    """What a client may take for one command; DATA gets this and a second more for each `min_rate` bytes."""
    min_rate: int = 500
    """Bytes of content a second, after the first `idle_timeout`; Postfix's smtpd_min_data_rate."""
    session_timeout: float = 1200.0
    """What a connection may last without a mail being taken; chasquid's bound is the same."""
    max_connections: int = 1000
    max_per_client: int = 500
    """From one address; at this number its own longest-idle connection goes. All at work are never too many."""
    max_memory: int = 32 << 20
    """Taken by all mails under way together, beyond the first 16 KiB of each; see `Content`."""
    recipients: int = 1000
    """Taken of one mail; every server must take 100 (RFC 5321 4.5.3.1.8)."""
    errors: int = 20
    """Wrong commands in a row, without a mail between them, before the connection ends."""
    idle_commands: int = 100
    """Commands that lead to nothing (NOOP, RSET and their like), likewise."""
    auth_failures: int = 3
    stop_within: float = 4.0
    """What transactions under way may take when the receiver stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may connect, and by what he is known."""

    clients: tuple[str, ...] = LOOPBACK
    """Networks that may connect; everybody else is told 554."""
    proxies: tuple[str, ...] = ()
    """Networks of proxies: their connections begin with a PROXY header that names the client."""
    username: str = ""
    password: str | None = field(default=None, repr=False)
    """Set: AUTH is required and checked. None: AUTH is offered, and any credentials will do. A hash, or in clear."""
    auth_in_clear: bool = False
    """True where AUTH is offered beyond the loopback without TLS too."""
    tls_cert: str = ""
    """The certificate's file (PEM, with its chain); "" for no TLS."""
    tls_key: str = ""
    """The file of its private key; "" where it stands in the same file."""
