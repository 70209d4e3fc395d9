"""Regular expressions that others write, or of many words, which can neither hang a process nor fill its memory.

They are of RE2's kind (https://github.com/google/re2/wiki/Syntax): an automaton that reads each character once, where
other engines go back and forth. What could not be done so (references to groups, looking around) is refused, and so is
what takes too much memory.
"""

from __future__ import annotations

from typing import Any

import re2

MAX_PATTERN = 1_000
"""Characters of a pattern that others write."""
MAX_MEMORY = 4 << 20
"""Bytes that one of them may take."""


def compiled(pattern: str) -> Any:
    """`pattern`, to be used like a `re.Pattern`; raises ValueError that says what is wrong with it."""
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(f"RE2, which searches in linear time, does not take it: {_reason(error)}") from None
    if found.search("") is not None:
        raise ValueError("it fits the empty text, hence everything")
    return found


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
