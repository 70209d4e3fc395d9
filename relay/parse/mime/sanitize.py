"""Remove control characters and normalize line ends, so that a text is safe to store, display and forward."""

from __future__ import annotations

import re

from relay.memo import memoized

_UNCOMMON = re.compile("[^\t\n -~\xa0-\u1fff\u2030-\u2065\u2070-\ud7ff\uf900-\ufefe]")
"""Characters that may need cleaning. Most texts contain none of them, so one search is enough."""
_COMMON = b"\t\n" + bytes(range(0x20, 0x7F))
"""All characters that a clean ASCII text may contain. `translate` is several times faster here than a pattern."""
_OTHER_LINE_ENDS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    "\x1b\\[[0-9;?]{0,20}[A-Za-z]"  # terminal colours and cursor movements (ECMA-48)
    "|[\x00-\x08\x0e-\x1f\x7f-\x9f]"
    "|[\u202a-\u202e\u2066-\u2069\ufeff]"  # bidirectional controls: they would display the text in another order
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Return `text` with newlines as line ends, without control characters except newline and tab."""
    start = text.find("\n ") + 1
    end = text.find("\n", text.rfind("\n ") + 1) + 1
    if end - start < MIN_STACK:
        return _clean(text)
    return _clean(text[:start]) + _clean_stack(text[start:end]) + _clean(text[end:])


MIN_STACK = 1_000
"""Characters. Indented lines of at least this total length are cleaned separately and memoized."""
MAX_STACK = 16_384
"""Bytes of the largest stack that is memoized."""
MAX_STACKS = 1_000_000
"""Bytes of all memoized stacks together, with their results."""


@memoized(size=MAX_STACKS, largest=MAX_STACK, times=2)
def _clean_stack(text: str) -> str:
    """Clean lines, most of them indented. Memoized, because they are usually the stack of a repeated error.

    The text before and after them can be cleaned separately, because no removed sequence contains a newline.
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
    """Return `text` cleaned, as one line of at most `limit` characters."""
    if not text:
        return text  # a fast path: most fields are missing
    text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = clean(text)
    return " ".join(text.split())[:limit]
