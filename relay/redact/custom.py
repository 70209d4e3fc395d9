"""Patterns of secrets from the configuration (`redact.patterns`), searched in linear time whatever the pattern is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from relay.redact.secret import Secret
from relay.safe_regex import compiled

MAX_MATCHES = 1_000
"""Per pattern in one text. After the last one the rest of the text is masked: this bounds the time."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Patterns:
    """The configured patterns. The group named `secret` is masked, else the first group, else the whole match."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """Raises ValueError for a pattern that RE2 does not support or that matches the empty text."""
        self._compiled = [compiled(pattern) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._compiled)

    def find(self, text: str) -> Iterator[Secret]:
        """Find the matches of all patterns in `text`."""
        text = _SURROGATE.sub("?", text)  # a lone surrogate cannot be encoded as UTF-8
        for pattern in self._compiled:
            group = pattern.groupindex.get("secret", min(pattern.groups, 1))
            for number, match in enumerate(pattern.finditer(text), start=1):
                if number > MAX_MATCHES:
                    yield Secret(match.start(), len(text))
                    break
                start, end = match.span(group)
                if end > start:
                    yield Secret(start, end, text[start:end])
