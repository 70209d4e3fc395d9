"""Mask further occurrences of a secret in the same mail (after `search`).

A value that is masked once is masked everywhere in that mail, also where it is URL-encoded, HTML-escaped or escaped
with backslashes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from relay.redact.secret import MASK

MIN_LENGTH = 4
"""Characters. Shorter values are not searched for: they would match ordinary words."""
_MIN_DIGITS = 6
"""The same for values of digits only."""
DISTINCTIVE_LENGTH = 8
"""Characters. A value of this length with letters and other characters is also searched inside words and names."""
MAX_REPEATS = 100
"""Spellings searched for in one mail."""

COMMON_WORDS = frozenset((
    "admin", "administrator", "anonymous", "changeme", "default", "demo", "development", "error", "example", "false",
    "guest", "hello", "info", "local", "localhost", "login", "mail", "main", "masked", "none", "null", "password",
    "postgres", "production", "public", "root", "secret", "server", "staging", "system", "test", "tester", "testing",
    "token", "true", "undefined", "user", "username", "welcome",
))  # fmt: skip
"""Words that are sometimes used as passwords, but stand in many mails. They are never searched for."""
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_ESCAPES = re.compile(r"\\([\\\"'/])")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")


class Repeats:
    """The secrets of one mail, searched for in all its texts."""

    def __init__(self, values: Iterable[str]) -> None:
        """`values` are the secrets. Short and common ones are left out."""
        searchable = [value for value in dict.fromkeys(values) if _is_searchable(value)]
        spellings = dict.fromkeys(spelling for value in searchable for spelling in _spellings(value))
        self._all = sorted(spellings, key=len, reverse=True)[:MAX_REPEATS]
        self._distinctive = [value for value in self._all if _is_distinctive(value)]

    def mask_in(self, text: str) -> str:
        """Return `text` with every secret masked. For fields that hold data."""
        for value in self._all:
            if value in text:
                text = text.replace(value, MASK) if _is_distinctive(value) else _whole_word(value).sub(MASK, text)
        return text

    def mask_in_name(self, text: str) -> str:
        """Return `text` with the distinctive secrets masked. For fields that hold a name, such as a host."""
        for value in self._distinctive:
            text = text.replace(value, MASK)
        return text

    def occur_in(self, text: str) -> bool:
        """Whether `text` contains any of the secrets."""
        return any(value in text for value in self._all)


def _is_searchable(value: str) -> bool:
    if len(value) < (_MIN_DIGITS if value.isdigit() else MIN_LENGTH) or value in MASK:
        return False
    return value.lower() not in COMMON_WORDS and any(char.isalnum() for char in value)


def _is_distinctive(value: str) -> bool:
    return len(value) >= DISTINCTIVE_LENGTH and not value.isalpha() and not value.isdigit()


def _whole_word(value: str) -> re.Pattern[str]:
    """A pattern that matches `value` as a whole word only, not as a part of a longer word."""
    return re.compile(rf"(?<![A-Za-z0-9_]){re.escape(value)}(?![A-Za-z0-9_])")


def _spellings(value: str) -> Iterable[str]:
    """The value as found, and its other spellings: encoded and decoded for URLs and HTML, escaped and unescaped."""
    yield value
    others = [_ESCAPES.sub(r"\1", value), repr(value)[1:-1]]
    if not value.isalnum():
        others += [
            html.unescape(value),
            html.escape(value),
            _decoded(value),
            _encoded(value),
            value.replace('"', '\\"'),
        ]
    yield from (other for other in others if other != value and _is_searchable(other))


def _decoded(value: str) -> str:
    plain = value.replace("+", " ").encode("utf-8", "replace")
    return _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), plain).decode("utf-8", "replace")


def _encoded(value: str) -> str:
    data = value.encode("utf-8", "replace")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)
