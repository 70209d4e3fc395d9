"""A secret found in a text: its span, and the value to mask in the rest of the mail (used by every finder)."""

from __future__ import annotations

from typing import NamedTuple

MASK = "[masked]"

MAX_VALUE = 4_000
"""Characters of one value. What follows is searched like any other text."""


class Secret(NamedTuple):
    """The span `start` to `end` of a text, which is masked."""

    start: int
    end: int
    repeat: str = ""
    """The value that is masked wherever else it occurs in the mail; "" for none."""


def masked(text: str, secrets: list[Secret]) -> str:
    """Return `text` with these spans masked. Overlapping spans become one mask."""
    pieces: list[str] = []
    done = 0
    for secret in sorted(secrets):
        if secret.start >= done:
            pieces += (text[done : secret.start], MASK)
        done = max(done, secret.end)
    return "".join(pieces) + text[done:]
