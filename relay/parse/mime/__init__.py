"""Decode a received mail: the relevant headers and the text (the first step of parse).

Guarantee: any bytes give a Mail, in time and memory linear in at most `MAX_CONTENT` bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from relay.model import CUT_MARKER
from relay.parse.mime.body import Part, json_part_of, texts_of
from relay.parse.mime.headers import CLIENT_HEADER_PREFIX, MAX_HEADER, Head, split
from relay.parse.mime.sanitize import clean, one_line

__all__ = ["CLIENT_HEADER_PREFIX", "MAX_HEADER", "Head", "Mail", "Part", "clean", "one_line", "read"]

KEPT_HEAD, KEPT_TAIL = 192 * 1024, 64 * 1024
MAX_CONTENT = KEPT_HEAD + KEPT_TAIL + 1024
"""Bytes of a mail that are read. Of a larger mail, only the beginning and the end are read."""
MAX_TEXT = 256 * 1024
"""Characters of its text that are kept. Of a longer text, only the beginning and the end are kept."""


class Mail(NamedTuple):
    """The decoded mail. All texts except `json_part` are clean; all except `text` and `json_part` are one line."""

    head: Head
    subject: str
    sender: str
    """The address in From, in lower case; "" if there is none."""
    text: str
    """Its first text: the plain part, else the HTML part without markup."""
    others: tuple[Part, ...] = ()
    """Its further texts: the HTML part beside a short plain part, attached texts."""
    json_part: str = ""
    """The JSON part of our client's mail, decoded but not validated; "" if there is none."""


def read(content: bytes) -> Mail:
    """Decode a mail. `content` is as received, headers first, and may be malformed in any way."""
    head, body = split(_ends(content))
    first, *others = texts_of(head, body)
    return Mail(
        head=head,
        subject=head.subject,
        sender=head.sender,
        text=bounded(first.text),
        others=tuple(part._replace(text=bounded(part.text)) for part in others),
        json_part=json_part_of(head, body) if "x-error-mail-client" in head.fields else "",
    )


def bounded(text: str) -> str:
    """Return `text` cleaned. If it is longer than `MAX_TEXT`, return only its beginning and end."""
    if len(text) > MAX_TEXT:
        left_out = (CUT_MARKER % (len(text) - MAX_TEXT)).decode("ascii")
        text = text[: MAX_TEXT * 3 // 4] + left_out + text[-MAX_TEXT // 4 :]
    return clean(text)


def _ends(content: bytes) -> bytes:
    if len(content) <= MAX_CONTENT:
        return content
    left_out = len(content) - KEPT_HEAD - KEPT_TAIL
    return content[:KEPT_HEAD] + CUT_MARKER % left_out + content[-KEPT_TAIL:]
