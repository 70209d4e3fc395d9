"""Names that give a secret away: `password`, `client_secret`, `X-Api-Key`; and where such names stand in a text.

A name may have anything in front of it (`DB_PASSWORD`, `userPassword`); what may follow is short (`password2`,
`session_id`), so that `token_type`, `secretary` and `author` are none.
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
"""In lower case, by a part of them that few texts hold, so that most names need not be looked for."""

_KINDS_OF_KEY = (
    "api", "access", "account", "private", "signing", "encryption", "secret", "master", "auth", "app", "application",
    "consumer", "client", "service", "ssh", "hmac", "jwt", "license", "storage", "shared", "webhook", "service_role",
    "deploy", "session", "subscription", "functions",
)  # fmt: skip
_BEFORE_KEY = tuple(f"{kind}{link}" for kind in _KINDS_OF_KEY for link in ("", "_", "-", " "))
"""A key is a secret with one of these in front: `api_key`; `cache_key` and `primary key` are none."""

WORDS_ALONE = frozenset(("pass", "auth", "sig", "cvv", "cvv2", "otp", "totp", "creds"))
"""Names that are too often the end of another word, such as `compass`."""
ASSIGNED = frozenset(("auth", "sig", "signature"))
"""Names that mean something else in prose: they count before `=`, or as the quoted key of a structure."""


class Name(NamedTuple):
    """A name found at `start` of a text."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


class Names:
    """Our names and those of the configuration; the same for as long as the configuration is."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = frozenset(name.lower() for name in own)

    @property
    def marks(self) -> tuple[str, ...]:
        """One of these is in every text, in lower case, that has one of the names."""
        return (*_BY_PART, *self._own)

    def among(self, text: str, lower: str) -> Iterator[tuple[str, Iterator[int]]]:
        """Each name that `text` (`lower` in lower case) may hold, with the places where it stands."""
        for part, names in _BY_PART.items():
            if part in lower:
                for name in names:
                    yield name, self._places(text, lower, name)
        for name in self._own:
            if name in lower:
                yield name, self._places(text, lower, name)

    def _places(self, text: str, lower: str, name: str) -> Iterator[int]:
        alone = name in WORDS_ALONE or name in self._own
        place = lower.find(name)
        while place >= 0:
            onward = place + len(name)
            if (name != "key" or lower.endswith(_BEFORE_KEY, 0, place)) and not (alone and _goes_back(text, place)):
                yield place
            place = lower.find(name, onward)


def _goes_back(text: str, place: int) -> bool:
    """Whether the word began before `place`: `compass` does, `db_pass` and `dbPass` do not."""
    before = text[place - 1] if place else " "
    return before.isalpha() and not (before.islower() and text[place].isupper())


_SUFFIX = re.compile(
    r"(?:[_-]?(?:access|id|key|token|hash|value|header|salt|base64|b64|pem|middlewaretoken|confirm(?:ation)?|again|old"
    r"|new|repeat|string|plain|raw|\d{1,2})){0,4}",
    re.IGNORECASE,
)


def suffix_end(text: str, place: int) -> int:
    """Where the name ends whose known part ends at `place`."""
    match = _SUFFIX.match(text, place)
    return match.end() if match else place


def identifier_start(text: str, place: int) -> int:
    """Where the identifier begins that `place` is in; at most 60 characters before."""
    least = max(0, place - 60)
    while place > least and (text[place - 1].isalnum() or text[place - 1] in "_-."):
        place -= 1
    return place


def is_secret(identifier: str, names: Names) -> bool:
    """Whether this name of a field, column or element is expected to hold a secret."""
    lower = identifier.lower()
    if len(lower) != len(identifier):
        return False
    return any(
        suffix_end(identifier, place + len(name)) == len(identifier)
        for name, places in names.among(identifier, lower)
        for place in places
    )
