"""Guarantees for every text taken from a mail."""

from __future__ import annotations

import re

_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_clean(text: str) -> bool:
    """True if the only control characters in `text` are newline and tab, and it can be stored."""
    return not _UNCLEAN.search(text)


def is_line(text: str, limit: int) -> bool:
    return is_clean(text) and "\n" not in text and len(text) <= limit
