"""Recognize the layout of a mail's text and split it into labelled fields and the message (mime → layouts → report).

One module per layout. If no layout matches, the whole text is the message.
Guarantee: no function raises, and all take time linear in the text.
"""

from __future__ import annotations

from relay.model import Form
from relay.parse.layouts import django, documented, labels, line_prefix, logfmt, logline, structured, syslog
from relay.parse.layouts.layout import Layout, parse_level

__all__ = ["Layout", "layout_of", "parse_level", "read_documented"]


def read_documented(text: str) -> Layout | None:
    """Return the layout of `text` (lines end with a newline) in the documented format; None if this is not certain."""
    return documented.read_standard(text) or _from_first_lines(text)


TOP_LINES = 16
"""The documented format has all its labels in this number of lines, if no other text precedes them."""


def _from_first_lines(text: str) -> Layout | None:
    """Return the same as `layout_of`, but without splitting the trace into lines; None if that is not possible.

    This is the fast path for most mails.
    """
    *lines, below = text.split("\n", TOP_LINES)
    enough = len(lines) == TOP_LINES and len(line_prefix.sample_of(lines)) == line_prefix.SAMPLE_LINES
    if not enough or syslog.strip_headers(lines)[1] or line_prefix.strip_prefixes(lines) is not lines:
        return None
    return documented.read(lines, below)


def layout_of(subject: str, lines: list[str]) -> Layout:
    """Return the layout of a text, whose lines have lost the prefixes of journal and container engine."""
    return (
        documented.read(lines)
        or django.read(subject, lines)
        or structured.read(lines)
        or logfmt.read(lines)
        or labels.read(lines)
        or logline.read(lines)
        or Layout(form=Form.PLAIN, text="\n".join(lines))
    )
