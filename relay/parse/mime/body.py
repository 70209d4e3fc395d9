"""Find and decode the texts of a mail among its MIME parts, within fixed limits.

Python's own parser takes seconds for some malformed mails and recurses without a limit. Here, the depth, the number of
parts and the number of bytes are bounded. A malformed structure is read as text. If only the beginning and the end of a
mail were kept, both are decoded separately.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from relay.model import CUT_MARKER
from relay.parse.mime import charsets, flowed, html
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


class Part(NamedTuple):
    """One text of a mail."""

    kind: str
    """The media type in lower case; of an HTML part, `text` has no markup any more."""
    name: str
    """The file name of an attachment; "" for a part that is shown in the mail itself."""
    text: str


MAX_TEXTS = 12
"""Texts of a mail that are read."""
LONG_TEXT = 4_000
"""Characters. A plain part that is longer is not a stub: further parts are not read."""
_MAX_ATTACHED = 256 * 1024
"""Bytes of an encoded attachment that are read: of more, the end, where a log has its latest lines."""
_TEXT_NAMES = (
    ".log",
    ".txt",
    ".out",
    ".err",
    ".json",
    ".csv",
    ".trace",
    ".dmp.txt",
    ".md",
    ".htm",
    ".html",
    ".xml",
    ".yml",
    ".yaml",
)
_BINARY = frozenset(range(32)) - frozenset(b"\t\n\r\x0b\x0c\x1b")


def texts_of(head: Head, body: bytes) -> list[Part]:
    """Return the texts that a reader of the mail would see, in their order: plain parts, HTML parts, attached texts.

    If the mail has a plain part of some length, only that one. Never empty: without a text part, the body as it is.
    """
    if head.kind in ("", "text/plain") and (text := _text(head, body)).strip():
        return [Part("text/plain", "", text)]  # a fast path for the usual mail
    search = _Search()
    search.visit(head, body, 0)
    return sorted(search.found, key=lambda part: part.name != "") or [Part("text/plain", "", decoded(body, "", ""))]


class _Search:
    """Visits the parts and collects their texts."""

    def __init__(self) -> None:
        self.found: list[Part] = []
        self.parts = 0

    def visit(self, head: Head, body: bytes, depth: int) -> None:
        """Read this part if it is a text; if it contains parts, visit them."""
        kind = head.kind
        if kind.startswith("multipart/") and depth < MAX_DEPTH:
            self._visit_parts(body, head.parameter(b"boundary"), depth)
        elif kind == "message/rfc822" and depth < MAX_DEPTH:
            self.visit(*split(body), depth + 1)
        elif kind == JSON_TYPE:
            return
        elif head.attached and depth:
            self._visit_attachment(head, body)
        elif kind == "text/html":
            self._add(Part(kind, "", html.text_of(_text(head, body))))
        elif "/" not in kind or kind.startswith("text/"):
            self._add(Part(kind, "", _text(head, body)))
        elif depth:
            self._visit_attachment(head, body)

    def _add(self, part: Part) -> None:
        if part.text.strip():
            self.found.append(part)

    def _visit_attachment(self, head: Head, body: bytes) -> None:
        """Read an attachment that is a text: by its media type, its name, or its content."""
        name = head.file_name
        text = head.kind.startswith("text/") or name.lower().endswith(_TEXT_NAMES)
        if not text and head.kind != "application/octet-stream":
            return
        data = _transfer_decoded(
            body[-_MAX_ATTACHED:] if head.encoding != "base64" else body[: 2 * _MAX_ATTACHED], head.encoding
        )[-_MAX_ATTACHED:]
        if data[:_SAMPLE].translate(None, bytes(_BINARY)) != data[:_SAMPLE]:
            return
        content = charsets.decode(data, head.parameter(b"charset").decode("ascii", "replace"))
        is_html = head.kind == "text/html" or name.lower().endswith((".htm", ".html"))
        self._add(Part(head.kind, name or "attachment", html.text_of(content) if is_html else content))

    def _visit_parts(self, body: bytes, boundary: bytes, depth: int) -> None:
        for part in parts(body, boundary):
            self.parts += 1
            if self.parts > MAX_PARTS or len(self.found) >= MAX_TEXTS or self._is_complete():
                return
            self.visit(*split(part), depth + 1)

    def _is_complete(self) -> bool:
        return any(part.kind != "text/html" and not part.name and len(part.text) > LONG_TEXT for part in self.found)


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
        text = decoded(body, head.encoding, charset)
        if head.parameter(b"format").lower() != b"flowed":
            return text
        return flowed.unfolded(text, delete_space=head.parameter(b"delsp").lower() == b"yes")
    beginning = decoded(body[: cut.start()], head.encoding, charset)
    tail = _decoded_tail(body[cut.end() :], head.encoding, charset)
    if head.kind != "text/html" and len(_MARKUP.findall(tail[:_SAMPLE])) > 3:
        tail = html.text_of(tail)  # the plain part ended in the removed middle, and the tail is HTML
    return beginning + cut[0].decode("ascii") + tail


def decoded(data: bytes, encoding: str, charset: str) -> str:
    """Return the text of a part, using its transfer encoding and charset, which may be wrong."""
    return charsets.decode(_transfer_decoded(data, encoding), charset)


def _transfer_decoded(data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return _base64(data)
    return a2b_qp(data) if encoding == "quoted-printable" else data


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
