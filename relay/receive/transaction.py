"""One mail's envelope while it comes together: MAIL and its parameters, then RCPT."""

from __future__ import annotations

import re

from relay.model import Envelope
from relay.receive import replies
from relay.receive.path import Path
from relay.receive.replies import Refusal

_MAIL_PARAMETERS = frozenset(("SIZE", "BODY", "SMTPUTF8", "AUTH"))
_XTEXT = re.compile(r"<>|(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_MAX_CHARACTERS = 256 << 10
"""Characters of recipients that are kept of one mail; a thousand usual ones have a tenth of it."""


class Transaction:
    """What is known of a mail between MAIL and the end of DATA."""

    __slots__ = ("_international", "_sender", "_space", "recipients")

    def __init__(self, sender: str, *, international: bool) -> None:
        """`international`: MAIL said SMTPUTF8."""
        self._sender = sender
        self._international = international
        self._space = _MAX_CHARACTERS
        self.recipients: list[str] = []

    def check_charset(self, address: str) -> None:
        """Raise Refusal where `address` would have needed SMTPUTF8 (RFC 6531 3.5)."""
        if not (self._international or address.isascii()):
            raise Refusal(replies.NEEDS_SMTPUTF8)

    def add(self, recipient: str, most: int) -> bool:
        """Note a recipient; False where there are `most` already, or too long ones."""
        self._space -= len(recipient)
        if len(self.recipients) >= most or self._space < 0:
            return False
        self.recipients.append(recipient)
        return True

    def envelope(self, peer: str) -> Envelope:
        """Return the envelope of the mail that `peer` sends."""
        return Envelope(sender=self._sender, recipients=tuple(self.recipients), peer=peer)


def check_parameters(path: Path, max_size: int, *, extended: bool) -> None:
    """Raise Refusal unless MAIL may have these parameters (RFC 1870, 6152, 6531, 4954), which only EHLO offers."""
    parameters = path.parameters
    if path.malformed:
        raise Refusal(replies.BAD_PARAMETER)
    if path.duplicated or not extended or not parameters.keys() <= _MAIL_PARAMETERS:
        raise Refusal(replies.UNKNOWN_PARAMETER)
    size, body = parameters.get("SIZE", "0"), parameters.get("BODY", "7BIT")
    if not (size.isascii() and size.isdecimal() and len(size) <= 20):
        raise Refusal(replies.BAD_PARAMETER)
    if body.upper() not in {"7BIT", "8BITMIME"} or parameters.get("SMTPUTF8"):
        raise Refusal(replies.BAD_PARAMETER)
    if not _XTEXT.fullmatch(parameters.get("AUTH", "<>")):
        raise Refusal(replies.BAD_PARAMETER)
    if int(size) > max_size:
        raise Refusal(replies.TOO_LARGE)
