"""An error mail as it came over the wire, decoded: its few headers that matter and its text (parse's first step).

Guarantee: any bytes give a Mail, in time and memory linear in at most `MAX_CONTENT` bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from relay.model import CUT_MARKER
from relay.parse.mime.body import json_part_of, text_of
from relay.parse.mime.headers import CLIENT_HEADER_PREFIX, MAX_HEADER, Head, split
from relay.parse.mime.sanitize import clean, one_line

__all__ = ["CLIENT_HEADER_PREFIX", "MAX_HEADER", "Head", "Mail", "clean", "one_line", "read"]

KEPT_HEAD, KEPT_TAIL = 192 * 1024, 64 * 1024
MAX_CONTENT = KEPT_HEAD + KEPT_TAIL + 1024
"""Bytes of a mail that are looked at: its ends, where it is larger."""
MAX_TEXT = 256 * 1024
"""Characters of its text that are kept: likewise."""


class Mail(NamedTuple):
    """What a mail says; every text but `json_part` is clean, and all but `text` and `json_part` are one line."""

    head: Head
    subject: str
    sender: str
    """The address in From, lower case; "" where there is none."""
    text: str
    json_part: str = ""
    """The JSON part of our client's mail, decoded and no more; "" where there is none."""


def read(content: bytes) -> Mail:
    """Decode a mail. `content` as received, headers first; broken in any way."""
    head, body = split(_ends(content))
    return Mail(
        head=head,
        subject=head.subject,
        sender=head.sender,
        text=bounded(text_of(head, body)),
        json_part=json_part_of(head, body) if "x-error-mail-client" in head.fields else "",
    )


def bounded(text: str) -> str:
    """`text` cleaned, and only its ends where it is longer than `MAX_TEXT`."""
    if len(text) > MAX_TEXT:
        left_out = (CUT_MARKER % (len(text) - MAX_TEXT)).decode("ascii")
        text = text[: MAX_TEXT * 3 // 4] + left_out + text[-MAX_TEXT // 4 :]
    return clean(text)


def _ends(content: bytes) -> bytes:
    if len(content) <= MAX_CONTENT:
        return content
    left_out = len(content) - KEPT_HEAD - KEPT_TAIL
    return content[:KEPT_HEAD] + CUT_MARKER % left_out + content[-KEPT_TAIL:]
