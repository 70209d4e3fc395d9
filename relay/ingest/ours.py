"""By what bounces and automatic replies refer to the relay: its Message-IDs and its recipients, from the settings."""

from __future__ import annotations

from relay.config import Settings
from relay.model import Record
from relay.parse.bounces import Bounce, Ourselves, read
from relay.parse.mime.headers import split


def ourselves(settings: Settings) -> Ourselves:
    """Return the domain of the relay's Message-IDs, and all recipients in lower case."""
    domain = settings.sender_address.rpartition("@")[2].lower()
    recipients = frozenset(address.lower() for route in settings.routes for address in route.recipients)
    return Ourselves(domain=domain, recipients=recipients)


def bounces_in(record: Record, ours: Ourselves) -> list[Bounce]:
    """Return the recipients that a mail about our own mails says were not reached."""
    head, _ = split(record.content)
    return [bounce for bounce in read(head, record.content, ours) if bounce.recipient in ours.recipients]
