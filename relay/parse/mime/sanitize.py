"""Texts that are safe to keep, show and send on, whatever bytes they came from."""

from __future__ import annotations

import re

from relay.memo import memoized

_UNCOMMON = re.compile("[^\t\n -~\xa0-\u1fff\u2030-\u2065\u2070-\ud7ff\uf900-\ufefe]")
"""Most texts have none of these, and are done with one look."""
_COMMON = b"\t\n" + bytes(range(0x20, 0x7F))
"""All that texts in ASCII may hold; `translate` is several times faster at that look than a pattern."""
_OTHER_LINE_ENDS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    "\x1b\\[[0-9;?]{0,20}[A-Za-z]"  # colours and cursor moves of a terminal (ECMA-48)
    "|[\x00-\x08\x0e-\x1f\x7f-\x9f]"
    "|[\u202a-\u202e\u2066-\u2069\ufeff]"  # would show a text in another order than it has
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` with newlines as line ends and without control characters, but for newline and tab."""
    start = text.find("\n ") + 1
    end = text.find("\n", text.rfind("\n ") + 1) + 1
    if end - start < MIN_STACK:
        return _clean(text)
    return _clean(text[:start]) + _clean_stack(text[start:end]) + _clean(text[end:])


MIN_STACK = 1_000
"""Characters from the first indented line to the last from which they are cleaned apart."""
MAX_STACK = 16_384
"""Bytes of them that are kept."""
MAX_STACKS = 1_000_000
"""Bytes of all that are kept, with what was made of them."""


@memoized(size=MAX_STACKS, largest=MAX_STACK, times=2)
def _clean_stack(text: str) -> str:
    """Lines, most of them indented; kept, since they are the calls of an error that comes again and again.

    What stands before and after them can be cleaned apart, since nothing that is taken out holds a newline.
    """
    return _clean(text)


def _clean(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not (text.encode("ascii").translate(None, _COMMON) if text.isascii() else _UNCOMMON.search(text)):
        return text
    text = _OTHER_LINE_ENDS.sub("\n", text)
    return _SURROGATE.sub("\ufffd", _UNPRINTABLE.sub("", text))


def one_line(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` characters, cleaned."""
    if not text:
        return text  # most of what is asked for is missing
    text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = clean(text)
    return " ".join(text.split())[:limit]
