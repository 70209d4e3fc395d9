"""Passwords as they are kept: scrypt (RFC 7914) in the notation of PHC strings.

    $scrypt$ln=15,r=8,p=1$SALT$HASH        SALT and HASH in base64 without padding

Guarantee: what is kept tells nothing of the password, and a comparison's time tells nothing of
either. Each hash takes 32 MiB and some 50 ms, on purpose.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets

_LOG_N, _R, _P = 15, 8, 1
_MEMORY = 256 << 20
_PHC_STRING = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,86})\$([A-Za-z0-9+/]{22,86})"
)
_PREFIX = "$scrypt$"


def make_hash(password: str) -> str:
    """Return what may be kept of `password`. Takes its time."""
    salt = secrets.token_bytes(16)
    return f"{_PREFIX}ln={_LOG_N},r={_R},p={_P}${_encode(salt)}${_encode(_scrypt(password.encode(), salt))}"


def is_hash(text: str) -> bool:
    """True where `text` is meant to be a hash of ours. Raises ValueError where it is a damaged one."""
    if not text.startswith(_PREFIX):
        return False
    try:
        verify_password(b"", text)
    except (ValueError, binascii.Error) as error:
        raise ValueError("is no whole hash: make another one with `relay hash-password`") from error
    return True


def verify_password(password: bytes, stored: str) -> bool:
    """True where `stored` was made of `password`. Takes its time. Raises ValueError where it is no hash."""
    match = _PHC_STRING.fullmatch(stored)
    if match is None:
        raise ValueError("no scrypt hash")
    log_n, r, p = (int(match[number]) for number in (1, 2, 3))
    if 128 * r << log_n > _MEMORY or not p:
        raise ValueError("no scrypt hash of a sane cost")
    expected = _decode(match[5])
    found = _scrypt(password, _decode(match[4]), log_n=log_n, r=r, p=p, length=len(expected))
    return hmac.compare_digest(found, expected)


def _scrypt(password: bytes, salt: bytes, *, log_n: int = _LOG_N, r: int = _R, p: int = _P, length: int = 32) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY, dklen=length)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
