"""The envelope of one mail while it is built: MAIL with its parameters, then RCPT."""

from __future__ import annotations

import re

from relay.model import Envelope
from relay.receive import replies
from relay.receive.path import Path
from relay.receive.replies import Refusal

_MAIL_PARAMETERS = frozenset(("SIZE", "BODY", "SMTPUTF8", "AUTH"))
_XTEXT = re.compile(r"<>|(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_MAX_CHARACTERS = 256 << 10
"""Total length in characters of the recipients of one mail. A thousand usual addresses need a tenth of it."""


class Transaction:
    """The envelope of a mail between MAIL and the end of DATA."""

    __slots__ = ("_international", "_sender", "_space", "recipients")

    def __init__(self, sender: str, *, international: bool) -> None:
        """`international`: MAIL had the parameter SMTPUTF8."""
        self._sender = sender
        self._international = international
        self._space = _MAX_CHARACTERS
        self.recipients: list[str] = []

    def check_charset(self, address: str) -> None:
        """Raise Refusal if `address` needs SMTPUTF8 but MAIL did not have it (RFC 6531, section 3.5)."""
        if not (self._international or address.isascii()):
            raise Refusal(replies.NEEDS_SMTPUTF8)

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


def check_parameters(path: Path, max_size: int, *, extended: bool) -> None:
    """Raise Refusal unless these parameters of MAIL are valid (RFC 1870, 6152, 6531, 4954). They need EHLO."""
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
