"""Make texts about tokens safe to show: without the tokens, keys and assertions in them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from relay.deliver.replies import Scrub

_SIGNED = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*){0,4}")
"""A JSON Web Token, such as a client assertion, an access token or an ID token."""
_NAMED = re.compile(
    r"((?:access_token|refresh_token|client_secret|client_assertion|assertion|device_code|code)\"?\s*[=:]\s*\"?)[^\s\"&,}]+",
    re.IGNORECASE,
)


def safe_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return one printable line of at most 200 characters, with `***` for each of `secrets` and each signed token."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return Scrub("", "")(_NAMED.sub(r"\1***", _SIGNED.sub("***", text)))
