"""Find values that are still those of an example: example.com, `changeme`, `yourname` (for `relay check` and `serve`).

They are valid, and a trial works with them, so they are warnings. No text quotes a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import SecretStr

from relay.config.settings import Settings

_RESERVED_DOMAIN = re.compile(r"(?:^|[@.])(?:example\.(?:com|net|org)|[^@.]+\.(?:example|invalid))\.?$", re.IGNORECASE)
"""Domains that belong to nobody (RFC 2606). `.test` is left out: people run tests with it."""
_FILLER = re.compile(
    r"change[-_ ]?(?:me|this|it)|replace[-_ ]?(?:me|this)|place[-_ ]?holder|\byour[-_ ]?"
    r"(?:name|domain|company|org|mail|email|user|username|password|server|host|provider|smtp)|^<.*>$|^(?:x{3,}|\.{3}|todo)$",
    re.IGNORECASE,
)
_NO_PASSWORD = re.compile(r"^(?:password|passwort|secret|example|1234(?:56)?)$", re.IGNORECASE)


class Placeholder(NamedTuple):
    """A setting that still has the value of an example."""

    location: tuple[str | int, ...]
    text: str


def placeholders(settings: Settings) -> Iterator[Placeholder]:
    """Yield the settings that still have the value of an example.

    Addresses and the host count only if an upstream is set: without one no mail leaves the machine.
    """
    upstream = settings.upstream
    if upstream.host:
        yield from _addresses(settings)
        if is_placeholder(upstream.host):
            yield Placeholder(("upstream", "host"), f"{upstream.host} is a placeholder: name your mail server")
        if is_placeholder(upstream.username):
            yield Placeholder(("upstream", "username"), f"{upstream.username} is a placeholder: name your account")
    for table in ("upstream", "smtp", "http"):
        password: SecretStr | None = getattr(settings, table).password
        text = password.get_secret_value() if password else ""
        if is_placeholder(text) or _NO_PASSWORD.search(text):
            yield Placeholder((table, "password"), "this is a placeholder: set a password of your own")


def _addresses(settings: Settings) -> Iterator[Placeholder]:
    for address in filter(is_placeholder, settings.admins):
        yield Placeholder(("admins",), f"{address} is a placeholder: nobody reads digests to it")
    for index, route in enumerate(settings.route):
        for address in filter(is_placeholder, route.recipients):
            location = ("route", index, "recipients")
            yield Placeholder(location, f"{address} is a placeholder: nobody reads digests to it")
    if is_placeholder(settings.sender or ""):
        text = f"{settings.sender} is a placeholder: many mail servers reject digests from a domain that is not yours"
        yield Placeholder(("sender",), text)


def is_placeholder(value: str) -> bool:
    """Return whether an address, a host or a name is one that only examples have."""
    return bool(_RESERVED_DOMAIN.search(value) or _FILLER.search(value))
