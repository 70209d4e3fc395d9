"""Hands letters over, to the real mail server or into a local mailbox (outbox → the admins).

    upstream   one try of one letter: its limits, its end, being stopped
    dialogue   the SMTP dialogue, command by command, and what each reply means
    wire       the connection: aiosmtplib's client, made strict and impatient
    words      what the other side said, fit to be shown
    mailbox    the Maildir that stands in while no upstream is set

Guarantee: `deliver` returns what the other side said of each recipient, or what is wrong with it; only trouble of our
own (a claim that is lost, a stop) is raised. Nothing here reads or writes the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from relay.config import Settings
from relay.data_dir import DataDir
from relay.deliver.mailbox import Mailbox
from relay.deliver.upstream import Upstream
from relay.model import Attempt

__all__ = ["Mailbox", "Target", "Upstream", "open_target"]


class Target(Protocol):
    """Where letters go."""

    @property
    def max_duration(self) -> timedelta:
        """The longest that one `deliver` takes."""

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Try to hand a whole mail over, once; see `Upstream.deliver`."""

    def abort(self) -> None:
        """Stop for good, from any thread: a `deliver` under way ends within seconds."""


def open_target(settings: Settings) -> Upstream | Mailbox:
    """Return where the settings send digests; nothing is connected or created yet."""
    if settings.upstream.host:
        return Upstream(settings.upstream)
    return Mailbox(DataDir(settings.storage.data_dir).mailbox)
