"""Secrets stay in the app: what stands under a name like "password" is replaced before it is logged or mailed.

Told by the name alone; the relay masks again, by name and by shape, for those apps that do not use this package.
"""

import re

MASK = "[masked]"

_SECRET = re.compile(
    r"passw|passphrase|pwd|secret|token|cookie|credential|authori[sz]ation|signature|(?<![a-z])auth(?![a-z])"
    r"|(?:api|access|private|session)[-_]?key|session[-_]?id|(?<![a-z])(?:sid|jwt|otp|csrf)(?![a-z])",
    re.IGNORECASE,
)
_QUERY_ONLY = {"code", "key", "sig", "state"}
"""Short names that carry secrets in a URL (RFC 6749 section 4.1.2; signed links) and are harmless elsewhere."""
_PAIR = re.compile(r"(?P<start>[?&;#])(?P<name>[^=&;#]*)=[^&;#]*")
_USER_INFO = re.compile(r"(?<=://)[^/?#@]*@")


def is_secret(name: str) -> bool:
    """True for the name of a field, header or variable that is expected to hold a secret."""
    return _SECRET.search(name) is not None


def mask_url(url: str) -> str:
    """The URL without the values of secret query fields, and without user name and password before its host."""
    return _PAIR.sub(_mask_pair, _USER_INFO.sub(f"{MASK}@", url))


def _mask_pair(pair: re.Match[str]) -> str:
    name = pair["name"]
    return f"{pair['start']}{name}={MASK}" if name.lower() in _QUERY_ONLY or is_secret(name) else pair[0]
