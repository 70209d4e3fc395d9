"""The envelope of one mail while it is built: MAIL, then RCPT."""

from __future__ import annotations

from relay.model import Envelope

_MAX_CHARACTERS = 256 << 10
"""Total length in characters of the recipients of one mail. A thousand usual addresses need a tenth of it."""


class Transaction:
    """The envelope of a mail between MAIL and the end of DATA."""

    __slots__ = ("_sender", "_space", "recipients")

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._space = _MAX_CHARACTERS
        self.recipients: list[str] = []

    def add(self, recipient: str, most: int) -> bool:
        """Record a recipient. Return False if there are `most` already, or if all of them together are too long."""
        self._space -= len(recipient)
        if len(self.recipients) >= most or self._space < 0:
            return False
        self.recipients.append(recipient)
        return True

    def envelope(self, peer: str) -> Envelope:
        """Return the envelope, with `peer` as the client's address."""
        return Envelope(sender=self._sender, recipients=tuple(self.recipients), peer=peer)
