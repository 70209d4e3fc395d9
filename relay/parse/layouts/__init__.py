"""The layout of an error mail's text: which label says what, and where the message itself begins.

Between `mail`, which decodes, and `parse`, which joins all into a Report. One module for each
layout; where none fits, the whole text is the message. Nothing here raises, and everything
takes time linear in the text.
"""

from __future__ import annotations

from dataclasses import replace

from relay.model import Form
from relay.parse.layouts import django, documented, labels, line_prefix, logfmt, logline, structured, syslog
from relay.parse.layouts.layout import Layout, parse_level

__all__ = ["Layout", "parse_level", "read"]


def read(subject: str, text: str) -> Layout:
    """The layout of `text` (lines ended by newline)."""
    return documented.stock(text) or _at_the_top(text) or _anywhere(subject, text)


TOP = 16
"""Lines in which the documented format has all its labels, if nothing stands before it."""


def _at_the_top(text: str) -> Layout | None:
    """What `_anywhere` makes of most mails, without looking at the lines of their traces; None for any other."""
    *lines, below = text.split("\n", TOP)
    enough = len(lines) == TOP and len(line_prefix.sample_of(lines)) == line_prefix.LOOK
    if not enough or syslog.without(lines)[1] or line_prefix.without(lines) is not lines:
        return None
    return documented.read(lines, below)


def _anywhere(subject: str, text: str) -> Layout:
    lines, told = syslog.without(text.split("\n"))
    layout = _layout(subject, line_prefix.without(lines))
    return replace(layout, fields=told | layout.fields) if told else layout


def _layout(subject: str, lines: list[str]) -> Layout:
    return (
        documented.read(lines)
        or django.read(subject, lines)
        or structured.read(lines)
        or logfmt.read(lines)
        or labels.read(lines)
        or logline.read(lines)
        or Layout(form=Form.PLAIN, text="\n".join(lines))
    )
