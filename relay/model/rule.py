"""What a grouping rule does to a fingerprint: join, split or ignore; and the fields by which an error can be split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    """What the relay does with the mails that a rule matches."""

    JOIN = "join"
    """Treat all of them as one error."""
    SPLIT = "split"
    """Split one fingerprint into several, by a field of the report."""
    IGNORE = "ignore"
    """Count them as ignored and never report them."""


class SplitBy(StrEnum):
    """The field of a report that a rule splits by. A word of the message is written `word:3` (`split_field`)."""

    LOGGER = "logger"
    MODULE = "module"
    FUNCTION = "function"
    LOCATION = "location"
    ENVIRONMENT = "environment"
    HOST = "host"
    RELEASE = "release"
    SUBJECT = "subject"
    LEVEL = "level"
    PATH = "path"
    """The path of the request, without host and query."""
    ENDPOINT = "endpoint"
    """The endpoint of the request, such as Flask's `shop.checkout`."""


_WORD = re.compile(r"word:([1-9]\d?)")


def split_field(text: str) -> str:
    """Return `text` if it names a field to split by: one of SplitBy, or `word:1` to `word:99`. Raises ValueError."""
    if text not in set(SplitBy) and not _WORD.fullmatch(text):
        raise ValueError(f"{text!r} is no field to split by: write one of {', '.join(SplitBy)}, or word:3")
    return text


def word_number(field: str) -> int:
    """Return 3 for `word:3`; 0 for any other field."""
    found = _WORD.fullmatch(field)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRule:
    """An error that a person split by a field of its mails. `id` is 0 until the ledger has stored it."""

    id: int = 0
    route: str
    app: str
    fingerprint: str
    version: int
    """The fingerprint of the error, and the version that made it."""
    title: str
    field: str
    """See `split_field`."""
    group_id: int
    """The group of the error."""
    author: str
    reason: str
    at: datetime
