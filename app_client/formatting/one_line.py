"""Text that stays in one line, whatever is in it: what a client or a library puts there cannot pass for a line of ours.

Guarantee: the result has no control character but the tab, no line separator, and nothing that turns the direction of
writing, which can make a terminal or an editor show another line than is there.
"""

import re

_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    r"""The text with escapes in place of what could end or disguise a line: a newline becomes `\n`, ESC `\x1b`."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
