"""Limits and access rules of one receiver.

Plain values, so that the receiver does not import the configuration's library.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes are in bytes, durations in seconds."""

    hostname: str = "localhost"
    """The name in the greeting and in the reply to EHLO."""
    max_size: int = 32 << 20
    """Size of a mail, counted as in RFC 1870. A larger one is read to its end and then refused."""
    idle_timeout: float = 300.0
    """Time for one command. DATA has this, and a second more for each `min_rate` bytes."""
    min_rate: int = 500
    """Bytes of content per second, after the first `idle_timeout`. Same as Postfix's smtpd_min_data_rate."""
    session_timeout: float = 1200.0
    """Longest time of a connection without a stored mail. Same as in chasquid."""
    max_connections: int = 1000
    max_per_client: int = 500
    """Connections from one address. From this number on its longest-idle one is closed; if all are at work, none is."""
    max_memory: int = 32 << 20
    """Memory of all mails in transfer together, beyond the first 16 KiB of each; see `Content`."""
    recipients: int = 1000
    """Recipients of one mail. Every server must accept 100 (RFC 5321, section 4.5.3.1.8)."""
    errors: int = 20
    """Wrong commands in a row, without a mail between them, until the connection is closed."""
    idle_commands: int = 100
    """Commands without effect (NOOP, RSET and similar) in a row, until the connection is closed."""
    auth_failures: int = 3
    stop_within: float = 4.0
    """Time that open transactions may take when the receiver stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which clients may connect, and how they authenticate."""

    clients: tuple[str, ...] = LOOPBACK
    """Networks that may connect; all others get 554."""
    proxies: tuple[str, ...] = ()
    """Networks of proxies. A connection from there begins with a PROXY header that names the client."""
    username: str = ""
    password: str | None = field(default=None, repr=False)
    """A password or its hash: AUTH is required and checked. None: AUTH is offered, and any credentials are valid."""
    auth_in_clear: bool = False
    """True if AUTH is offered without TLS beyond the loopback."""
    tls_cert: str = ""
    """The certificate file (PEM, with its chain); "" for no TLS."""
    tls_key: str = ""
    """The private key's file; "" if the key is in the certificate file."""
