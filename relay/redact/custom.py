"""Forms of secrets that the configuration adds; searched in linear time, whatever was written there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from relay.redact.secret import Secret
from relay.safe_regex import compiled

MAX_MATCHES = 1_000
"""In one text; behind the last, the rest of the text is masked: a search that finds more could take too long."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Patterns:
    """Own patterns; what a group named `secret`, else the first group, else the whole of it fits is masked."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._compiled = [compiled(pattern) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._compiled)

    def found(self, text: str) -> Iterator[Secret]:
        """What they fit in `text`."""
        text = _SURROGATE.sub("?", text)  # cannot be written as UTF-8
        for pattern in self._compiled:
            group = pattern.groupindex.get("secret", min(pattern.groups, 1))
            for number, match in enumerate(pattern.finditer(text), start=1):
                if number > MAX_MATCHES:
                    yield Secret(match.start(), len(text))
                    break
                start, end = match.span(group)
                if end > start:
                    yield Secret(start, end, text[start:end])
