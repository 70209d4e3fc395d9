"""SMTP AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN, and the check of credentials.

Credentials are never logged. A check is slow on purpose, so it runs in a thread, at most `_MAX_THREADS` at once. Valid
credentials are remembered as a digest under a random key of this process, because the stock handler logs in for every
mail.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from relay.receive import replies
from relay.receive.passwords import is_hash, make_hash, verify_password
from relay.receive.replies import Refusal

MECHANISMS = ("PLAIN", "LOGIN")
_MAX_THREADS = 2
_MAX_WAITING = 64


class Credentials(NamedTuple):
    """What a client sent as user name and password; bytes, since SMTP does not say in which charset."""

    username: bytes
    password: bytes


AuthExchange = Generator[bytes, bytes, Credentials]
"""Yields challenges and receives the responses, both in base64; returns the credentials. Raises Refusal."""


def auth_exchange(argument: str) -> AuthExchange:
    """Run the AUTH exchange of a client that has sent `AUTH argument`."""
    mechanism, _, initial = argument.partition(" ")
    first = initial.strip().encode("utf-8", "surrogateescape")
    match mechanism.upper():
        case "PLAIN":
            return _split(_decode(first or (yield b"")))
        case "LOGIN":
            username = _decode(first or (yield b"VXNlcm5hbWU6"))  # "Username:"
            return Credentials(username, _decode((yield b"UGFzc3dvcmQ6")))  # "Password:"
        case "":
            raise Refusal(replies.ARGUMENT_MISSING)
        case _:
            raise Refusal(replies.UNKNOWN_MECHANISM)


def _decode(text: bytes) -> bytes:
    if text == b"*":
        raise Refusal(replies.AUTH_CANCELLED)
    if text == b"=":
        return b""  # an empty initial response
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refusal(replies.NOT_BASE64) from None


def _split(message: bytes) -> Credentials:
    """Split a PLAIN message. Its first part asks to act for another user, which is not possible here."""
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise Refusal(replies.NOT_PLAIN)
    authorization_id, username, password = parts
    if authorization_id not in {b"", username}:
        raise Refusal(replies.NOT_FOR_OTHERS)
    return Credentials(username, password)


class Authenticator:
    """Checks credentials against the configured ones; if none are configured, any are valid."""

    def __init__(self, username: str, password: str | None) -> None:
        """Expect `username` with `password`, in clear text or as a hash. Raises ValueError if the hash is damaged."""
        self.required = password is not None
        self._username = username.encode()
        self._password = "" if password is None else password if is_hash(password) else make_hash(password)
        self._key = secrets.token_bytes(32)
        self._last_valid = b""
        self._threads = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="login")
        self._waiting = 0

    def check(self, credentials: Credentials, done: Callable[[bool], None]) -> bool | None:
        """Return True if the result is known; else None, and call `done` with the result later, in the running loop.

        Raises Refusal if too many checks are waiting.
        """
        if not self.required or hmac.compare_digest(self._digest(credentials), self._last_valid):
            return True
        if self._waiting >= _MAX_WAITING:
            raise Refusal(replies.LOGINS_BUSY)
        self._waiting += 1
        checking = asyncio.get_running_loop().run_in_executor(self._threads, self._is_valid, credentials)
        checking.add_done_callback(lambda result: self._finish_check(credentials, result, done))
        return None

    def _finish_check(
        self, credentials: Credentials, result: asyncio.Future[bool], done: Callable[[bool], None]
    ) -> None:
        self._waiting -= 1
        valid = not result.cancelled() and result.exception() is None and result.result()
        if valid:
            self._last_valid = self._digest(credentials)
        done(valid)

    def _is_valid(self, credentials: Credentials) -> bool:
        """Always compare both parts, so that an unknown user takes the same time as a wrong password."""
        same_password = verify_password(credentials.password, self._password)
        return hmac.compare_digest(credentials.username, self._username) & same_password

    def _digest(self, credentials: Credentials) -> bytes:
        length = len(credentials.username).to_bytes(4, "big")
        return hmac.digest(self._key, length + credentials.username + credentials.password, hashlib.sha256)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
