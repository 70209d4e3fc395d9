"""Names whose value is a secret (`password`, `client_secret`, `X-Api-Key`), and their occurrences in a text.

Any prefix is allowed (`DB_PASSWORD`, `userPassword`). Only a few suffixes are (`password2`, `session_id`), so
`token_type`, `secretary` and `author` are not secret names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_BY_PART = {
    "pass": ("password", "passwords", "passwort", "passwd", "passphrase", "passcode", "pass"),
    "pwd": ("pwd",),
    "secret": ("secret", "secrets"),
    "token": ("token",),
    "key": ("key",),
    "auth": ("authorization", "authorisation", "x-auth", "x_auth", "auth"),
    "cookie": ("cookie", "cookies"),
    "sess": ("session", "sessid"),
    "srf": ("csrf", "xsrf"),
    "cred": ("credential", "credentials", "creds"),
    "sig": ("signature", "sig"),
    "cvv": ("cvv", "cvv2"),
    "otp": ("otp", "totp"),
}
"""Secret names in lower case, by a rare substring. In a text without the substring its names are not searched."""

_KINDS_OF_KEY = (
    "api", "access", "account", "private", "signing", "encryption", "secret", "master", "auth", "app", "application",
    "consumer", "client", "service", "ssh", "hmac", "jwt", "license", "storage", "shared", "webhook", "service_role",
    "deploy", "session", "subscription", "functions",
)  # fmt: skip
_BEFORE_KEY = tuple(f"{kind}{link}" for kind in _KINDS_OF_KEY for link in ("", "_", "-", " "))
"""Prefixes that make a key a secret: `api_key`, but not `cache_key` or `primary key`."""

WHOLE_WORDS = frozenset(("pass", "auth", "sig", "cvv", "cvv2", "otp", "totp", "creds"))
"""Names that count only at the start of a word, since many words end with them (`compass`)."""
ONLY_ASSIGNED = frozenset(("auth", "sig", "signature"))
"""Names with another meaning in prose. They count only before `=`, or as the quoted key of a structure."""


class Name(NamedTuple):
    """A name at position `start` of a text."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The position behind its last character."""
        return self.start + len(self.text)


class Names:
    """The built-in secret names and those of the configuration. Immutable."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        """`own` are the names of the configuration (`redact.names`)."""
        self._own = frozenset(name.lower() for name in own)

    @property
    def prefilter(self) -> tuple[str, ...]:
        """Every text that contains one of the names contains one of these substrings, in lower case."""
        return (*_BY_PART, *self._own)

    def occurrences(self, text: str, lower: str) -> Iterator[tuple[str, Iterator[int]]]:
        """Yield each name that may be in `text`, with its positions. `lower` is `text` in lower case."""
        for part, names in _BY_PART.items():
            if part in lower:
                for name in names:
                    yield name, self._places(text, lower, name)
        for name in self._own:
            if name in lower:
                yield name, self._places(text, lower, name)

    def _places(self, text: str, lower: str, name: str) -> Iterator[int]:
        whole_word = name in WHOLE_WORDS or name in self._own
        place = lower.find(name)
        while place >= 0:
            is_secret_key = name != "key" or lower.endswith(_BEFORE_KEY, 0, place)
            if is_secret_key and not (whole_word and _starts_inside_word(text, place)):
                yield place
            place = lower.find(name, place + len(name))


def _starts_inside_word(text: str, place: int) -> bool:
    """Whether `place` is inside a word: true for `pass` in `compass`, false in `db_pass` and `dbPass`."""
    before = text[place - 1] if place else " "
    return before.isalpha() and not (before.islower() and text[place].isupper())


_SUFFIX = re.compile(
    r"(?:[_-]?(?:access|id|key|token|hash|value|header|salt|base64|b64|pem|middlewaretoken|confirm(?:ation)?|again|old"
    r"|new|repeat|string|plain|raw|\d{1,2})){0,4}",
    re.IGNORECASE,
)


def suffix_end(text: str, place: int) -> int:
    """The end of a name, including its suffixes, whose known part ends at `place`."""
    match = _SUFFIX.match(text, place)
    return match.end() if match else place


def identifier_start(text: str, place: int) -> int:
    """The start of the identifier that contains `place`, at most 60 characters before it."""
    least = max(0, place - 60)
    while place > least and (text[place - 1].isalnum() or text[place - 1] in "_-."):
        place -= 1
    return place


def is_secret_name(identifier: str, names: Names) -> bool:
    """Whether a field, column or element of this name holds a secret."""
    lower = identifier.lower()
    if len(lower) != len(identifier):
        return False
    return any(
        suffix_end(identifier, place + len(name)) == len(identifier)
        for name, places in names.occurrences(identifier, lower)
        for place in places
    )
