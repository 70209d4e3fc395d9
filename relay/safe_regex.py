"""Compile regular expressions that cannot hang a process or fill its memory: users' patterns and long word lists.

RE2 (https://github.com/google/re2/wiki/Syntax) runs an automaton that reads each character once, without backtracking.
Patterns that this does not allow (backreferences, lookaround) are refused, as are patterns that need too much memory.
"""

from __future__ import annotations

from typing import Any

import re2

MAX_PATTERN = 1_000
"""The largest length of a user's pattern, in characters."""
MAX_MEMORY = 4 << 20
"""The largest memory of one compiled pattern, in bytes."""


def compiled(pattern: str) -> Any:
    """Compile `pattern`; the result is used like a `re.Pattern`. Raises ValueError that explains what is wrong."""
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
