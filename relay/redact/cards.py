"""Find payment card numbers (ISO/IEC 7812): an issuer's prefix, 13 to 19 digits and a valid check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.redact.secret import Secret

FRAME = re.compile(r"[ \t|>]{0,40}(?:File \"|at \S|from \S|\S{1,400}:\d{1,9}:in )")
"""A line that names a file and a function, such as a frame of a stack trace: its names come from code."""

_CARD = re.compile(
    r"[2-6](?<![\w.-].)(?:(?<=2)[2-7]\d{2}(?:[ -]?\d){12}|(?<=3)\d{3}(?:[ -]?\d){10,15}"
    r"|(?<=[4-6])\d{3}(?:[ -]?\d){9,15})(?![\w-]|\.\d)"
)
"""Issuer ranges: 2221 to 2720 have 16 digits, 3 has at least 14. So a timestamp such as 20260917114502 is no card."""

PREFILTER = r"[0-9](?:[ -]?(?:[0-9]|[^\x00-\x7f])){12}"
"""A pattern for RE2 that matches every text in which `cards` finds something. It needs one counter only."""


def cards(text: str) -> Iterator[Secret]:
    """Find card numbers. Folders in a frame do not count: releases are often named after a timestamp or a number."""
    for match in _CARD.finditer(text):
        if _luhn([int(char) for char in match[0] if char.isdigit()]) and not _is_folder_in_frame(text, match.start()):
            yield Secret(match.start(), match.end(), match[0])


def _is_folder_in_frame(text: str, place: int) -> bool:
    line = text.rfind("\n", max(0, place - 1_000), place) + 1
    return line > 0 and text[place - 1] in "/\\" and FRAME.match(text, line) is not None


def _luhn(digits: list[int]) -> bool:
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
