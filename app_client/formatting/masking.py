"""Secrets stay in the app: what stands under a name like "password" is replaced before it is logged or mailed.

Told by the name alone; the relay masks again, by name and by shape, for those apps that do not use this package.
"""

import re


class _Mask(str):
    """Stands in place of a number as well: `%(pin)d` must not fail for it."""

    __slots__ = ()

    def __int__(self) -> int:
        return 0

    __index__ = __int__

    def __float__(self) -> float:
        return 0.0


MASK = _Mask("[masked]")

_SECRET = re.compile(
    r"passw|passphrase|pwd|secret|token|cookie|credential|authori[sz]ation|signature|[cx]srf|(?<![a-z])auth(?![a-z])"
    r"|(?:api|access|private|session)[-_ ]?key|sess(?:ion)?[-_]?id|(?<![a-z])session$"
    r"|(?<![a-z])(?:sid|jwt|otp)(?![a-z])",
    re.IGNORECASE,
)
_QUERY_ONLY = {"code", "key", "sig", "state"}
"""Short names that carry secrets in a URL (RFC 6749 section 4.1.2; signed links) and are harmless elsewhere."""
_PAIR = re.compile(r"(?P<start>[?&;#])(?P<name>[^=&;#]*)=[^&;#]*")
_USER_INFO = re.compile(r"(?<=://)[^/?#@]*@")
_ASSIGNED = re.compile(
    r"(?<![\w-])(?P<name>[\w-]{1,60})(?P<link>=|[\"'] ?: ?|(?<=ookie): |(?<=uthorization): (?:\w{1,20} (?=\S))?)"
    r"(?P<value>\"[^\"\n]*\"?|'[^'\n]*'?|[^\s,;&\"'(){}\[\]]+)"
)
"""A name and its value, in a text: `name=value`, `'name': 'value'`, or one of two headers."""


def is_secret(name: str) -> bool:
    """True for the name of a field, header or variable that is expected to hold a secret."""
    return _SECRET.search(name) is not None


def masked(name: str, value: object, depth: int = 3) -> object:
    """The value, masked if its name is that of a secret; dictionaries and lists are looked through, `depth` deep."""
    if is_secret(name):
        return MASK
    if depth and type(value) is dict:
        return {key: masked(key if isinstance(key, str) else "", each, depth - 1) for key, each in value.items()}
    if depth and type(value) in (list, tuple):
        return type(value)(masked("", each, depth - 1) for each in value)  # type: ignore[call-arg, attr-defined]
    return value


def mask_text(text: str) -> str:
    """The text without what is assigned to secret names in it: `password=…`, `'token': '…'`, `Cookie: …`."""
    return _ASSIGNED.sub(_mask_assigned, text)


def mask_url(url: str) -> str:
    """The URL without the values of secret query fields, and without user name and password before its host."""
    return _PAIR.sub(_mask_pair, _USER_INFO.sub(f"{MASK}@", url))


def _mask_pair(pair: re.Match[str]) -> str:
    name = pair["name"]
    return f"{pair['start']}{name}={MASK}" if name.lower() in _QUERY_ONLY or is_secret(name) else pair[0]


def _mask_assigned(found: re.Match[str]) -> str:
    return f"{found['name']}{found['link']}{MASK}" if is_secret(found["name"]) else found[0]
