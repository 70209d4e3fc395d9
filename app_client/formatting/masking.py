"""Mask secrets by name: a value with a name like "password" is replaced before it is logged or mailed.

Only the name decides here. The relay masks again, by name and by token format, also for apps without this package.
"""

import re


class _Mask(str):
    """The mask. It can be formatted as a number too, because `%(pin)d` must not fail."""

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
"""Short names that are secret in a URL only (RFC 6749 section 4.1.2; signed links)."""
_PAIR = re.compile(r"(?P<start>[?&;#])(?P<name>[^=&;#]*)=[^&;#]*")
_USER_INFO = re.compile(r"(?<=://)[^/?#@]*@")
_ASSIGNED = re.compile(
    r"(?<![\w-])(?P<name>[\w-]{1,60})(?P<link>=|[\"'] ?: ?|(?<=ookie): |(?<=uthorization): (?:\w{1,20} (?=\S))?)"
    r"(?P<value>\"[^\"\n]*\"?|'[^'\n]*'?|[^\s,;&\"'(){}\[\]]+)"
)
"""A name and its value in a text: `name=value`, `'name': 'value'`, or one of the headers Cookie and Authorization."""


def is_secret(name: str) -> bool:
    """Return True for the name of a field, header or variable that usually holds a secret."""
    return _SECRET.search(name) is not None


def masked(name: str, value: object, depth: int = 3) -> object:
    """Return the value, masked if its name is that of a secret. Searches `depth` levels of dictionaries and lists."""
    if is_secret(name):
        return MASK
    if depth and type(value) is dict:
        return {key: masked(key if isinstance(key, str) else "", each, depth - 1) for key, each in value.items()}
    if depth and type(value) in (list, tuple):
        return type(value)(masked("", each, depth - 1) for each in value)  # type: ignore[call-arg, attr-defined]
    return value


def mask_text(text: str) -> str:
    """Return the text with masked values of secret names: `password=…`, `'token': '…'`, `Cookie: …`."""
    return _ASSIGNED.sub(_mask_assigned, text)


def mask_url(url: str) -> str:
    """Return the URL with masked values of secret query fields, and masked user name and password."""
    return _PAIR.sub(_mask_pair, _USER_INFO.sub(f"{MASK}@", url))


def _mask_pair(pair: re.Match[str]) -> str:
    name = pair["name"]
    return f"{pair['start']}{name}={MASK}" if name.lower() in _QUERY_ONLY or is_secret(name) else pair[0]


def _mask_assigned(found: re.Match[str]) -> str:
    return f"{found['name']}{found['link']}{MASK}" if is_secret(found["name"]) else found[0]
