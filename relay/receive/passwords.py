"""Password hashes: scrypt (RFC 7914) in PHC string format.

    $scrypt$ln=15,r=8,p=1$SALT$HASH        SALT and HASH in base64 without padding

Guarantee: a hash reveals nothing about the password, and the time of a comparison reveals nothing about either. Each
hash takes 32 MiB and about 50 ms, on purpose.
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
    """Return a hash of `password` to store. Takes about 50 ms."""
    salt = secrets.token_bytes(16)
    return f"{_PREFIX}ln={_LOG_N},r={_R},p={_P}${_encode(salt)}${_encode(_scrypt(password.encode(), salt))}"


def is_hash(text: str) -> bool:
    """True if `text` is a scrypt hash. Raises ValueError if it begins like one but is damaged."""
    if not text.startswith(_PREFIX):
        return False
    try:
        verify_password(b"", text)
    except (ValueError, binascii.Error) as error:
        raise ValueError("is no whole hash: make another one with `relay hash-password`") from error
    return True


def verify_password(password: bytes, stored: str) -> bool:
    """True if `stored` is a hash of `password`. Takes about 50 ms. Raises ValueError if `stored` is no valid hash."""
    match = _PHC_STRING.fullmatch(stored)
    if match is None:
        raise ValueError("not a scrypt hash")
    log_n, r, p = (int(match[number]) for number in (1, 2, 3))
    if 128 * r << log_n > _MEMORY or not p:
        raise ValueError("a scrypt hash with a cost out of range")
    expected = _decode(match[5])
    found = _scrypt(password, _decode(match[4]), log_n=log_n, r=r, p=p, length=len(expected))
    return hmac.compare_digest(found, expected)


def _scrypt(password: bytes, salt: bytes, *, log_n: int = _LOG_N, r: int = _R, p: int = _P, length: int = 32) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY, dklen=length)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
