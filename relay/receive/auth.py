"""AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN, and the comparison with what is expected.

Offered without TLS too, since the service listens on the loopback or a network of its own;
what is sent is never logged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from relay.receive import replies
from relay.receive.replies import Refusal

MECHANISMS = ("PLAIN", "LOGIN")


class Credentials(NamedTuple):
    """What a client claims to be, as bytes since nobody says in which charset."""

    username: bytes
    password: bytes

    def match(self, username: str, password: str | None) -> bool:
        """True where these are the expected ones, in a time that tells nothing of them; with no password, always."""
        if password is None:
            return True
        same_name = hmac.compare_digest(_digest(self.username), _digest(username.encode()))
        same_word = hmac.compare_digest(_digest(self.password), _digest(password.encode()))
        return same_name & same_word


Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends a challenge and returns the client's answer, both in base64."""


async def credentials(argument: str, ask: Ask) -> Credentials:
    """Return what the client gives, who has sent `AUTH argument`. Raises Refusal."""
    mechanism, _, initial = argument.partition(" ")
    first = initial.strip().encode("utf-8", "surrogateescape")
    match mechanism.upper():
        case "PLAIN":
            return _split(_decode(first or await ask(b"")))
        case "LOGIN":
            username = _decode(first or await ask(b"VXNlcm5hbWU6"))  # "Username:"
            return Credentials(username, _decode(await ask(b"UGFzc3dvcmQ6")))  # "Password:"
        case "":
            raise Refusal(replies.ARGUMENT_MISSING)
        case _:
            raise Refusal(replies.UNKNOWN_MECHANISM)


def _decode(text: bytes) -> bytes:
    if text == b"*":
        raise Refusal(replies.AUTH_CANCELLED)
    if text == b"=":
        return b""  # the empty initial response
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refusal(replies.NOT_BASE64) from None


def _split(message: bytes) -> Credentials:
    """Take a PLAIN message apart; whom to act for, its first part, means nothing here."""
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise Refusal(replies.NOT_PLAIN)
    return Credentials(parts[1], parts[2])


def _digest(text: bytes) -> bytes:
    """Make texts of any length equally long."""
    return hashlib.sha256(text).digest()
