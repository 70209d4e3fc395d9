"""What a reply of the upstream means for us, and why the server replied so."""

from __future__ import annotations

from enum import StrEnum


class Meaning(StrEnum):
    """What to do about a reply."""

    ACCEPTED = "accepted"
    WAIT = "wait"
    """It passes by itself, usually within the hour."""
    WAIT_LONG = "wait long"
    """A limit or a full mailbox: it passes too, but rather within hours or a day."""
    RECIPIENT = "this recipient"
    """The server does not deliver to this address."""
    MESSAGE = "this message"
    """The server does not accept this message; another one may pass."""
    SETTINGS = "our settings"
    """Every message will be refused until a person changes a setting here or at the provider."""


class Cause(StrEnum):
    """Why the server replied so."""

    ACCEPTED = "accepted"
    NO_REPLY = "no reply"
    TEMPORARY = "temporary"
    RATE = "too fast"
    TOO_MANY_RECIPIENTS = "too many recipients in one transaction"
    SENDING_LIMIT = "sending limit"
    MAILBOX_FULL = "mailbox full"
    UNKNOWN_RECIPIENT = "unknown recipient"
    RECIPIENT_RESTRICTED = "recipient accepts only certain senders"
    TOO_LARGE = "too large"
    CONTENT = "content"
    MAIL_REFUSED = "refused at MAIL"
    EHLO_NAME = "EHLO name"
    SENDER = "sender"
    CREDENTIALS = "credentials"
    SMTP_AUTH_OFF = "SMTP AUTH is switched off"
    PASSWORDS_OFF = "passwords are switched off"
    APP_PASSWORD = "app password"  # noqa: S105 -- the name of a cause
    ENCRYPTION = "encryption"
    RELAYING = "relaying"
    REPUTATION = "reputation"
    ACCOUNT = "account"

    @property
    def meaning(self) -> Meaning:
        """What to do about it."""
        return _MEANINGS.get(self, Meaning.SETTINGS)


_MEANINGS = {
    Cause.ACCEPTED: Meaning.ACCEPTED,
    Cause.NO_REPLY: Meaning.WAIT,
    Cause.TEMPORARY: Meaning.WAIT,
    Cause.RATE: Meaning.WAIT,
    Cause.TOO_MANY_RECIPIENTS: Meaning.WAIT,
    Cause.SENDING_LIMIT: Meaning.WAIT_LONG,
    Cause.MAILBOX_FULL: Meaning.WAIT_LONG,
    Cause.UNKNOWN_RECIPIENT: Meaning.RECIPIENT,
    Cause.RECIPIENT_RESTRICTED: Meaning.RECIPIENT,
    Cause.TOO_LARGE: Meaning.MESSAGE,
    Cause.CONTENT: Meaning.MESSAGE,
    Cause.MAIL_REFUSED: Meaning.MESSAGE,
}
