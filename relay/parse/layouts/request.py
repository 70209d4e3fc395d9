"""Read facts about the HTTP request from lines at the top of a mail, as request-aware formatters write them.

They describe a single occurrence. They are shown to people and are never part of a fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from relay.parse.mime import one_line

Facts = tuple[tuple[str, str], ...]
"""Labels and values, in the order in which they are shown."""

MAX_FACT = 500
"""Characters of a value."""

LABELS = {
    "url": "Request",
    "endpoint": "Endpoint",
    "remote_addr": "Remote address",
    "user_agent": "User agent",
    "request_id": "Request id",
    "user_id": "User",
}
"""The label in the mail for each name in the JSON part of our client."""
_BY_NAME = {label.lower(): label for label in LABELS.values()} | {
    "url": "Request",
    "request url": "Request",
    "ip": "Remote address",
    "remote addr": "Remote address",
    "client address": "Remote address",
    "user-agent": "User agent",
    "user id": "User",
}
_LINE = re.compile(r"[ \t>*-]{0,40}(?P<name>[A-Za-z][A-Za-z -]{0,30}?)[ \t]{0,40}[:=][ \t]{1,40}(?P<value>\S.*)")


def label_of(name: str) -> str:
    """Return the label for a fact with this name, in any case; "" if the name is unknown."""
    return _BY_NAME.get(name.strip().lower(), "")


def facts(found: Mapping[str, str]) -> Facts:
    """Return the facts in `found`, which is keyed by label: each on one line of bounded length, without empty ones."""
    values = ((label, one_line(found.get(label, ""), MAX_FACT)) for label in LABELS.values())
    return tuple((label, value) for label, value in values if value)


def read(lines: Iterable[str]) -> Facts:
    """Return the facts in `lines`. If a label occurs twice, the first one counts."""
    found: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match and (label := label_of(match["name"])):
            found.setdefault(label, match["value"])
    return facts(found) if found else ()
