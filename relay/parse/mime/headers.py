"""The head of a mail or of one of its parts: the few fields that matter, decoded, within limits.

Header lines of any number and length, broken folding, raw 8-bit text and broken encoded words
are taken as they come.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from dataclasses import dataclass, field
from functools import lru_cache

from relay.memo import memoized
from relay.parse.mime import charsets
from relay.parse.mime.sanitize import one_line

MAX_HEAD = 256 * 1024
"""Bytes of a head that are looked at."""
MAX_FIELD = 8 * 1024
"""Bytes of one field, folded lines and all."""
MAX_HEADER = 500
"""Characters of a field's text."""
CLIENT_HEADER_PREFIX = "x-error-mail-"
"""What the names of our client's fields begin with."""

_FIRST = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,10}:")
_MBOX = re.compile(rb">?From [^\n]{0,1000}\n")
_FIELD = re.compile(
    rb"^(subject|from|content-(?:type|transfer-encoding|disposition)|x-error-mail-[a-z-]{1,40})[ \t]{0,10}:",
    re.IGNORECASE | re.MULTILINE,
)
_FOLDED = re.compile(rb"\r?\n[ \t]{1,1000}")
_NEXT = re.compile(rb"\n(?![ \t])")
_ENCODED = re.compile(r"=\?([\w.:+-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?([^?]{0,2000})\?=")
_BETWEEN = re.compile(r"(?<=\?=)\s{1,100}(?==\?)")
_HEX_PAIR = re.compile(r"=([0-9A-Fa-f]{2})")
_ADDRESS = re.compile(r"<([^<>\s]{1,320})>|([^\s<>,;\"]{1,64}@[^\s<>,;\"]{1,255})")
_PARAMETER = re.compile(rb";[ \t\r\n]*([\w-]{1,40})\*?[ \t]*=[ \t]*(?:\"([^\"]{0,500})\"?|([^;\s]{1,500}))")

_PARAMETERS = (b"boundary", b"charset")
"""Those that are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a head says. All but the texts of most fields is made at once, since a head is kept."""

    fields: dict[str, bytes] = field(default_factory=dict)
    """Raw, by name in lower case; the first of each counts."""
    client_headers: tuple[str, ...] = ()
    """The names of those that our client sends."""
    subject: str = ""
    """On one line of at most `MAX_HEADER` characters."""
    sender: str = ""
    """The address in From, lower case; "" where there is none."""
    kind: str = "text/plain"
    """The media type in lower case, e.g. `text/html`; "text/plain" where there is none (RFC 2045, section 5.2)."""
    encoding: str = ""
    """The transfer encoding in lower case; "" where there is none."""
    attached: bool = False
    """True where the part is meant to be saved and not to be read (RFC 2183)."""
    parameters: dict[bytes, bytes] = field(default_factory=dict)
    """Boundary and charset, by name in lower case; the first of each counts."""

    def text(self, name: str, limit: int) -> str:
        """The field on one line of at most `limit` characters, encoded words decoded (RFC 2047); "" if missing."""
        return _text_of(self.fields.get(name), limit)

    def parameter(self, name: bytes) -> bytes:
        """A parameter of the media type, `boundary` or `charset`; b"" where there is none."""
        return self.parameters.get(name, b"")


def split(content: bytes) -> tuple[Head, bytes]:
    """The head of `content` and what comes after it. Content that does not begin with a field is all body."""
    if mbox := _MBOX.match(content):
        content = content[mbox.end() :]
    if content.startswith((b"\n", b"\r\n")):
        return Head(), content.lstrip(b"\r\n") if content.isspace() else content.partition(b"\n")[2]
    if not _FIRST.match(content):
        return Head(), content
    head, body = _parted(content)
    return _head(head[:MAX_HEAD]), body


def _parted(content: bytes) -> tuple[bytes, bytes]:
    """What stands before the first empty line, and what after it. Lines end with LF, alone or after CR."""
    end = content.find(b"\n\r\n")
    begin = end + 3
    if (bare := content.find(b"\n\n", 0, end + 1 if end >= 0 else None)) >= 0:
        end, begin = bare, bare + 2
    return (content[:end].removesuffix(b"\r"), content[begin:]) if end >= 0 else (content, b"")


MAX_KEPT_HEAD = 2_000
"""Bytes of a head that is kept."""
MAX_KEPT_HEADS = 300_000
"""Bytes of all that are kept, with their fields."""


@memoized(size=MAX_KEPT_HEADS, largest=MAX_KEPT_HEAD, times=12)
def _head(head: bytes) -> Head:
    """The head that begins a mail; kept, since nothing but the second of its date differs in an app's mails."""
    fields = _fields(head)
    content_type = fields.get("content-type", b"")
    address = _ADDRESS.search(_text_of(fields.get("from"), MAX_HEADER))
    return Head(
        fields=fields,
        client_headers=tuple(name for name in fields if name.startswith(CLIENT_HEADER_PREFIX)),
        subject=_text_of(fields.get("subject"), MAX_HEADER),
        sender=(address[1] or address[2]).lower() if address else "",
        kind=content_type.partition(b";")[0].strip().lower()[:100].decode("ascii", "replace") or "text/plain",
        encoding=fields.get("content-transfer-encoding", b"").strip().lower()[:40].decode("ascii", "replace"),
        attached=fields.get("content-disposition", b"").lstrip()[:10].lower() == b"attachment",
        parameters=_parameters(content_type[:1000]) if content_type else {},
    )


def _parameters(content_type: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for match in _PARAMETER.finditer(content_type):
        if (name := match[1].lower()) in _PARAMETERS:
            found.setdefault(name, match[2] if match[2] is not None else match[3])
    return found


def _fields(head: bytes) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    for match in _FIELD.finditer(head):
        name = match[1].lower().decode("ascii")
        if name not in fields:
            end = _NEXT.search(head, match.end(), match.end() + MAX_FIELD)
            fields[name] = head[match.end() : end.start() if end else match.end() + MAX_FIELD]
            if len(fields) >= 100:
                break
    return fields


MAX_KEPT = 200
"""Bytes of a field whose text is kept in memory; with the number of fields this bounds it."""


def _text_of(raw: bytes | None, limit: int) -> str:
    if not raw:
        return ""
    return _kept_text(raw, limit) if len(raw) <= MAX_KEPT else _text(raw, limit)


@lru_cache(maxsize=1_024)
def _kept_text(raw: bytes, limit: int) -> str:
    """The text of a field; kept, since an app's mails have the same sender and subject again and again."""
    return _text(raw, limit)


def _text(raw: bytes, limit: int) -> str:
    return one_line(_decoded(_FOLDED.sub(b" ", raw).decode("utf-8", "replace")), limit)


def _decoded(text: str) -> str:
    """Encoded words decoded; neighbours in one charset together, since some senders split characters."""
    if "=?" not in text:
        return text
    text = _BETWEEN.sub("", text)
    pieces: list[str] = []
    waiting, charset, done = b"", "", 0
    for match in _ENCODED.finditer(text):
        if waiting and (match.start() > done or match[1].lower() != charset):
            pieces.append(charsets.decode(waiting, charset))
            waiting = b""
        pieces.append(text[done : match.start()])
        waiting, charset, done = waiting + _word(match), match[1].lower(), match.end()
    return "".join(pieces) + charsets.decode(waiting, charset) + text[done:]


def _word(match: re.Match[str]) -> bytes:
    data = match[3]
    if match[2] in "qQ":
        plain = data.replace("_", " ").encode("latin-1", "replace")
        return _HEX_PAIR.sub(lambda pair: chr(int(pair[1], 16)), plain.decode("latin-1")).encode("latin-1")
    try:
        return a2b_base64(data.encode("ascii", "replace") + b"==")
    except Error:
        return data.encode("utf-8", "replace")
