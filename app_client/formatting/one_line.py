"""Escape text to a single line, so that text from a client or a library cannot forge a log line.

Guarantee: the result has no control character except the tab, no line separator, and no character that changes the
writing direction, which could make a terminal or an editor show a different line.
"""

import re

_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    r"""Return the text with escapes for characters that could end or disguise a line: `\n`, `\x1b` for ESC."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
