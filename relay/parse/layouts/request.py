"""Lines about the request that an error came up in, as request-aware formatters put them at the top of a mail.

They are about this one occurrence: shown to people, never part of what the same error is.
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
"""How our client's formatter calls the facts that its JSON has under these names."""
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
    """Under which label a fact of that name, in any case, is shown; "" for what is none."""
    return _BY_NAME.get(name.strip().lower(), "")


def facts(found: Mapping[str, str]) -> Facts:
    """The facts in `found`, by label, each on one line of bounded length; what is empty is left out."""
    told = ((label, one_line(found.get(label, ""), MAX_FACT)) for label in LABELS.values())
    return tuple((label, value) for label, value in told if value)


def read(lines: Iterable[str]) -> Facts:
    """What `lines` tell by such labels; of each the first."""
    found: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match and (label := label_of(match["name"])):
            found.setdefault(label, match["value"])
    return facts(found) if found else ()
