"""Make untrusted text safe to display, and cut it to a length (used by digests, pages and commands).

Guarantee: text from `plain` and `one_line` encodes to UTF-8. It can neither move the cursor nor reverse the reading
order; text from `one_line` cannot start another line.
"""

from __future__ import annotations

import re
import unicodedata

from relay.humanize import counted

_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_UNSAFE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls but tab, newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the reading order (Unicode Annex 9)
    "\ud800-\udfff\ufffe\uffff]"  # lone surrogates and non-characters: no UTF-8, no HTML
)


def plain(text: str) -> str:
    r"""Return `text` with every line end as a newline and every unsafe character escaped, for example as `\x1b`."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], _NEWLINES.sub("\n", text))


def one_line(text: str, limit: int = 200) -> str:
    """Return `text` on one line with single spaces, at most `limit` characters: cut at its end, with an ellipsis."""
    return cut(" ".join(plain(text[: 8 * limit]).split()), limit)


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`; an ellipsis replaces the rest."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def cut_inside(text: str, limit: int) -> str:
    """Like `cut`, but cut the middle out: both ends are more useful."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 1].rstrip()}…{text[len(text) - tail :].lstrip()}"


def cut_lines(text: str, lines: int, *, head: int, width: int) -> str:
    """Return at most `lines` lines of `text`, each cut to `width` characters: the first `head`, the rest from its end.

    A line between the two states how many lines were left out; it counts as one of `lines`.
    """
    every = text.strip("\r\n").splitlines()
    if len(every) > lines:
        tail = max(lines - head - 1, 0)
        gone = len(every) - head - tail
        every = [*every[:head], f"… {counted(gone, 'line')} left out …", *every[len(every) - tail :]]
    return "\n".join(cut(plain(line[: 2 * width]).rstrip(), width) for line in every)


def columns(text: str) -> int:
    """Return the width of `text` in terminal columns: two for a wide character, none for a combining one."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def padded(text: str, width: int) -> str:
    """Return `text`, cut or filled with spaces to exactly `width` columns."""
    while columns(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    return text + " " * (width - columns(text))
