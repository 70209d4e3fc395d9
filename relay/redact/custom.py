"""Patterns of the configuration, which can neither hang the worker nor fill its memory.

They are of RE2's kind (https://github.com/google/re2/wiki/Syntax): an automaton that reads each character once, where
other engines go back and forth. What could not be done so (references to groups, looking around) is refused when the
configuration is read, and so is what takes too much memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import re2

from relay.redact.secret import Secret

MAX_PATTERN = 1_000
"""Characters of a pattern."""
MAX_MEMORY = 4 << 20
"""Bytes that one of them may take."""
MAX_MATCHES = 1_000
"""In one text; behind the last, the rest of the text is masked: a search that finds more could take too long."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def compiled(pattern: str) -> re2._Regexp:
    """`pattern`, ready to be looked for; raises ValueError that says what is wrong with it."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"has {len(pattern)} characters, at most {MAX_PATTERN} are allowed")
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"cannot be searched for in linear time, or is no pattern: {text}") from None
    if found.search("") is not None:
        raise ValueError("fits the empty text, hence everything")
    return found


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
            group = "secret" if "secret" in pattern.groupindex else 1 if pattern.groups else 0
            for number, match in enumerate(pattern.finditer(text), start=1):
                if number > MAX_MATCHES:
                    yield Secret(match.start(), len(text))
                    break
                start, end = match.span(group)
                if end > start:
                    yield Secret(start, end, text[start:end])
