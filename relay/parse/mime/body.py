"""Find and decode the text of a mail among its MIME parts, within fixed limits.

Python's own parser takes seconds for some malformed mails and recurses without a limit. Here, the depth, the number of
parts and the number of bytes are bounded. A malformed structure is read as text. If only the beginning and the end of a
mail were kept, both are decoded separately.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator
from itertools import islice

from relay.model import CUT_MARKER
from relay.parse.mime import charsets, html
from relay.parse.mime.headers import Head, split

MAX_DEPTH = 20
MAX_PARTS = 100

JSON_TYPE = "application/vnd.error-mail+json"
"""The media type of the JSON part of our client's mail."""
MAX_JSON = 64 * 1024
"""Bytes of the encoded JSON part. A longer one is ignored; our client sends at most 24,000 bytes."""
_MAX_JSON_POSITION = 5
"""Only this number of first parts is searched for the JSON part."""

_CUT_PREFIX = CUT_MARKER.partition(b"%d")[0].strip()
_CUT = re.compile(re.escape(CUT_MARKER).replace(rb"%d", rb"(\d{1,15})"))
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_BASE64_LINES = re.compile(rb"[A-Za-z0-9+/=]{0,1000}(?:\r?\n[A-Za-z0-9+/]{60,76}){2}")
_ALL_BASE64 = re.compile(rb"[A-Za-z0-9+/=\r\n]*")
_SOFT_BREAK = re.compile(rb"=\r?\n")
_MARKUP = re.compile(r"</?(?:html|body|pre|p|div|br|table|tr|td|th|li|span|h[1-6])\b[^<>]{0,200}>", re.IGNORECASE)
_SAMPLE = 4_000
"""Bytes of a tail from which its encoding and markup are detected."""


def text_of(head: Head, body: bytes) -> str:
    """Return the readable text: the plain part, else the HTML part without markup, else the body as it is."""
    search = _Search()
    search.visit(head, body, 0)
    if search.plain.strip():
        return search.plain
    if search.html.strip():
        return html.text_of(search.html)
    return search.plain or decoded(body, "", "")


class _Search:
    """Visits the parts until a plain text part is found."""

    def __init__(self) -> None:
        self.plain = ""
        self.html = ""
        self.parts = 0

    def visit(self, head: Head, body: bytes, depth: int) -> None:
        """Use this part if it is a text part; if it contains parts, visit them."""
        kind = head.kind
        if kind.startswith("multipart/") and depth < MAX_DEPTH:
            self._visit_parts(body, head.parameter(b"boundary"), depth)
        elif kind == "message/rfc822" and depth < MAX_DEPTH:
            self.visit(*split(body), depth + 1)
        elif head.attached and depth:
            return
        elif kind == "text/html":
            self.html = self.html or _text(head, body)
        elif "/" not in kind or kind.startswith("text/"):
            self.plain = _text(head, body)

    def _visit_parts(self, body: bytes, boundary: bytes, depth: int) -> None:
        for part in parts(body, boundary):
            self.parts += 1
            if self.parts > MAX_PARTS or self.plain.strip():
                return
            self.visit(*split(part), depth + 1)


def json_part_of(head: Head, body: bytes) -> str:
    """Return the first top-level part with our client's media type, decoded; "" if there is none.

    `relay.parse.json_part` validates its content.
    """
    if not head.kind.startswith("multipart/"):
        return ""
    for part in islice(parts(body, head.parameter(b"boundary")), _MAX_JSON_POSITION):
        part_head, content = split(part)
        if part_head.kind == JSON_TYPE:
            return decoded(content, part_head.encoding, "utf-8") if len(content) <= MAX_JSON else ""
    return ""


def parts(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Yield the parts between the boundaries (RFC 2046, section 5.1.1). The closing boundary may be missing."""
    line = b"--" + boundary
    start = place = -1
    while boundary and (place := body.find(line, place + 1)) >= 0:
        if place and body[place - 1] != 0x0A:
            continue
        rest = body[place + len(line) : place + len(line) + 100].partition(b"\n")[0].strip()
        if rest not in (b"", b"--"):
            continue
        if start >= 0:
            yield body[start : max(start, place - 1)].removesuffix(b"\r")
        if rest:
            return
        start = body.find(b"\n", place) + 1 or len(body)
    if start >= 0:
        yield body[start:]


# --- One part ---------------------------------------------------------------------------------------------------------


def _text(head: Head, body: bytes) -> str:
    charset = head.parameter(b"charset").decode("ascii", "replace")
    cut = _CUT.search(body) if _CUT_PREFIX in body else None
    if cut is None:
        return decoded(body, head.encoding, charset)
    beginning = decoded(body[: cut.start()], head.encoding, charset)
    tail = _decoded_tail(body[cut.end() :], head.encoding, charset)
    if head.kind != "text/html" and len(_MARKUP.findall(tail[:_SAMPLE])) > 3:
        tail = html.text_of(tail)  # the plain part ended in the removed middle, and the tail is HTML
    return beginning + cut[0].decode("ascii") + tail


def decoded(data: bytes, encoding: str, charset: str) -> str:
    """Return the text of a part, using its transfer encoding and charset, which may be wrong."""
    if encoding == "base64":
        data = _base64(data)
    elif encoding == "quoted-printable":
        data = a2b_qp(data)
    return charsets.decode(data, charset)


def _decoded_tail(data: bytes, encoding: str, charset: str) -> str:
    """Return the text of the tail of a body. It may begin anywhere, even in another part with another encoding."""
    encoding = _encoding_of_tail(data, encoding)
    if encoding != "base64":
        return charsets.decode_tail(a2b_qp(data) if encoding == "quoted-printable" else data, charset)
    encoded = data.translate(None, _NOT_BASE64)
    return max((charsets.decode_tail(_base64(encoded[shift:]), charset) for shift in range(4)), key=_count_readable)


def _encoding_of_tail(data: bytes, declared: str) -> str:
    if _BASE64_LINES.match(data) or (declared == "base64" and _ALL_BASE64.fullmatch(data[:_SAMPLE])):
        return "base64"
    soft = len(_SOFT_BREAK.findall(data[:_SAMPLE])) > 3
    return "quoted-printable" if soft or declared == "quoted-printable" else ""


def _base64(data: bytes) -> bytes:
    """Decode as much as possible. Characters outside the alphabet are ignored (RFC 2045, section 6.8)."""
    encoded = data.translate(None, _NOT_BASE64)
    rest = len(encoded) % 4
    padded = encoded[:-1] if rest == 1 else encoded + b"=" * (-len(encoded) % 4)
    try:
        return a2b_base64(padded)
    except Error:
        return data


def _count_readable(text: str) -> int:
    return sum(char.isascii() and (char.isprintable() or char in "\r\n\t") for char in text[:2000])
