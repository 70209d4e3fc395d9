"""SMTP out: deliver a message to the upstream mail server, or store it in a local mailbox (outbox → the admins).

    upstream   one try of one message: its time limits, recipients at which a try fails, stopping
    session    the SMTP session, command by command, and what each reply means
    login      AUTH with a password or with an access token
    client     the connection: aiosmtplib's client with strict replies and short timeouts
    ehlo_name  the name that the relay gives in EHLO
    transcript the dialogue as lines to show, without secrets
    replies    the upstream's replies and errors as text that is safe to show
    oauth2/    the access tokens for the login, where there is no password
    mailbox    the Maildir that is used as long as no upstream is set

Guarantee: `deliver` returns the reply for each recipient, or the failure of the upstream. It raises only conditions of
the relay itself (a lost claim, a stop). Nothing in this package reads or writes the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from relay.config import Settings
from relay.data_dir import DataDir
from relay.deliver.mailbox import Mailbox
from relay.deliver.oauth2.source import TokenSource
from relay.deliver.transcript import Show
from relay.deliver.upstream import Upstream
from relay.model import Attempt

__all__ = ["Mailbox", "Target", "TokenSource", "Upstream", "open_target", "open_token_source"]


class Target(Protocol):
    """Where messages are delivered to: an `Upstream` or a `Mailbox`."""

    @property
    def max_duration(self) -> timedelta:
        """The longest time that one `deliver` takes."""

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Try once to deliver a complete mail; see `Upstream.deliver`."""

    def abort(self) -> None:
        """Stop for good, from any thread: a running `deliver` ends within seconds."""


def open_target(settings: Settings, *, show: Show | None = None) -> Upstream | Mailbox:
    """Return the target that the settings name. It connects to nothing and creates nothing yet.

    `show` gets each line of the dialogue with the upstream.
    """
    if settings.upstream.host:
        return Upstream(
            settings.upstream, sender=settings.sender_address, show=show, tokens=open_token_source(settings)
        )
    return Mailbox(DataDir(settings.storage.data_dir).mailbox)


def open_token_source(settings: Settings) -> TokenSource | None:
    """Return what gives the access tokens for the upstream; None if it has a password or no login.

    Nothing is read or created yet.
    """
    if not settings.upstream.oauth2.enabled:
        return None
    return TokenSource(settings.upstream, DataDir(settings.storage.data_dir).tokens)
