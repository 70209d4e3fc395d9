"""A value that was masked once is masked wherever else it stands in that mail, in whatever way it is written there."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from relay.redact.secret import MASK

MIN_ECHO = 4
"""Characters that a masked value needs to be looked for elsewhere; of digits alone 6."""
SURE = 8
"""Characters from which a value of letters and others is looked for inside of words, too, and in names."""
MAX_ECHOES = 100
_MIN_DIGITS = 6

COMMON = frozenset((
    "admin", "administrator", "anonymous", "changeme", "default", "demo", "development", "error", "example", "false",
    "guest", "hello", "info", "local", "localhost", "login", "mail", "main", "masked", "none", "null", "password",
    "postgres", "production", "public", "root", "secret", "server", "staging", "system", "test", "tester", "testing",
    "token", "true", "undefined", "user", "username", "welcome",
))  # fmt: skip
"""Words that are passwords now and then, and words of any mail all the time."""
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_ESCAPES = re.compile(r"\\([\\\"'/])")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")


class Echoes:
    """What is looked for in the texts of one mail."""

    def __init__(self, values: Iterable[str]) -> None:
        found = {form: None for value in dict.fromkeys(values) if _is_looked_for(value) for form in _forms(value)}
        self._all = sorted(found, key=len, reverse=True)[:MAX_ECHOES]
        self._sure = [value for value in self._all if _is_sure(value)]

    def masked_in(self, text: str) -> str:
        """`text`, which is data, without any of them."""
        for value in self._all:
            if value in text:
                text = text.replace(value, MASK) if _is_sure(value) else _alone(value).sub(MASK, text)
        return text

    def masked_in_name(self, text: str) -> str:
        """`text`, which is a name, such as a host's or a logger's, without those that can only be secrets."""
        for value in self._sure:
            text = text.replace(value, MASK)
        return text

    def stand_in(self, text: str) -> bool:
        """Whether `text` has any of them."""
        return any(value in text for value in self._all)


def _is_looked_for(value: str) -> bool:
    if len(value) < (_MIN_DIGITS if value.isdigit() else MIN_ECHO) or value in MASK:
        return False
    return value.lower() not in COMMON and any(char.isalnum() for char in value)


def _is_sure(value: str) -> bool:
    return len(value) >= SURE and not value.isalpha() and not value.isdigit()


def _alone(value: str) -> re.Pattern[str]:
    """As a word of its own, since it may be part of a longer one."""
    return re.compile(rf"(?<![A-Za-z0-9_]){re.escape(value)}(?![A-Za-z0-9_])")


def _forms(value: str) -> Iterable[str]:
    """The value and how else it may be written: encoded or decoded for URLs and HTML, escaped or not."""
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
    yield from (other for other in others if other != value and _is_looked_for(other))


def _decoded(value: str) -> str:
    plain = value.replace("+", " ").encode("utf-8", "replace")
    return _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), plain).decode("utf-8", "replace")


def _encoded(value: str) -> str:
    data = value.encode("utf-8", "replace")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)
