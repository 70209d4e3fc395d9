"""What a secret is to all that look for one: a span of a text, and what of it is looked for elsewhere in the mail."""

from __future__ import annotations

from typing import NamedTuple

MASK = "[masked]"

MAX_VALUE = 4_000
"""Characters of one value; the rest of a longer one is looked at like any other text."""


class Secret(NamedTuple):
    """A span of a text that is masked; `echo` is what is looked for elsewhere in that mail, "" for nothing."""

    start: int
    end: int
    echo: str = ""


def masked(text: str, secrets: list[Secret]) -> str:
    """`text` with these spans masked, those that overlap as one."""
    pieces: list[str] = []
    done = 0
    for secret in sorted(secrets):
        if secret.start >= done:
            pieces += (text[done : secret.start], MASK)
        done = max(done, secret.end)
    return "".join(pieces) + text[done:]
