"""Parse the header section of a mail or of a part: decode the relevant fields, within limits.

Accepts any number and length of header lines, malformed folding, raw 8-bit text and malformed encoded words.
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
"""Bytes of a header section that are read."""
MAX_FIELD = 8 * 1024
"""Bytes of one field, including its folded lines."""
MAX_HEADER = 500
"""Characters of the text of a field."""
CLIENT_HEADER_PREFIX = "x-error-mail-"
"""Prefix of the field names that our client sends."""

_FIRST = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,10}:")
_MBOX = re.compile(rb">?From [^\n]{0,1000}\n")
_FIELD = re.compile(
    rb"^(subject|from|content-(?:type|transfer-encoding|disposition)|x-error-mail-[a-z-]{1,40}|auto-submitted|precedence"
    rb"|x-auto(?:reply|respond|reply-from)|x-failed-recipients)[ \t]{0,10}:",
    re.IGNORECASE | re.MULTILINE,
)
_FOLDED = re.compile(rb"\r?\n[ \t]{1,1000}")
_NEXT = re.compile(rb"\n(?![ \t])")
_ENCODED = re.compile(r"=\?([\w.:+-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?([^?]{0,2000})\?=")
_BETWEEN = re.compile(r"(?<=\?=)\s{1,100}(?==\?)")
_HEX_PAIR = re.compile(r"=([0-9A-Fa-f]{2})")
_ADDRESS = re.compile(r"<([^<>\s]{1,320})>|([^\s<>,;\"]{1,64}@[^\s<>,;\"]{1,255})")
_PARAMETER = re.compile(rb";[ \t\r\n]*([\w-]{1,40})\*?[ \t]*=[ \t]*(?:\"([^\"]{0,500})\"?|([^;\s]{1,500}))")

_PARAMETERS = (b"boundary", b"charset", b"format", b"delsp", b"name")
"""The parameters of Content-Type that are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The parsed header section. Most values are computed at once, because a Head is memoized."""

    fields: dict[str, bytes] = field(default_factory=dict)
    """Raw values, by name in lower case. If a field occurs twice, the first one counts."""
    client_headers: tuple[str, ...] = ()
    """The names of the fields that our client sent."""
    subject: str = ""
    """One line of at most `MAX_HEADER` characters."""
    sender: str = ""
    """The address in From, in lower case; "" if there is none."""
    kind: str = "text/plain"
    """The media type in lower case, e.g. `text/html`; "text/plain" if there is none (RFC 2045, section 5.2)."""
    encoding: str = ""
    """The transfer encoding in lower case; "" if there is none."""
    attached: bool = False
    """True if the part is an attachment and not text to display (RFC 2183)."""
    parameters: dict[bytes, bytes] = field(default_factory=dict)
    """The used parameters, by name in lower case. If one occurs twice, the first one counts."""
    file_name: str = ""
    """The file name of an attachment; "" if there is none."""

    def text(self, name: str, limit: int) -> str:
        """Return the field as one line of at most `limit` characters, with decoded words (RFC 2047); "" if missing."""
        return _text_of(self.fields.get(name), limit)

    def parameter(self, name: bytes) -> bytes:
        """Return a used parameter of the media type, such as `boundary`; b"" if there is none."""
        return self.parameters.get(name, b"")


def split(content: bytes) -> tuple[Head, bytes]:
    """Split `content` into its parsed header section and its body. Without a field at the beginning, it is all body."""
    if mbox := _MBOX.match(content):
        content = content[mbox.end() :]
    if content.startswith((b"\n", b"\r\n")):
        return Head(), content.lstrip(b"\r\n") if content.isspace() else content.partition(b"\n")[2]
    if not _FIRST.match(content):
        return Head(), content
    head, body = _split_at_empty_line(content)
    return _head(head[:MAX_HEAD]), body


def _split_at_empty_line(content: bytes) -> tuple[bytes, bytes]:
    """Split `content` at the first empty line. Lines end with LF or CRLF."""
    end = content.find(b"\n\r\n")
    begin = end + 3
    if (bare := content.find(b"\n\n", 0, end + 1 if end >= 0 else None)) >= 0:
        end, begin = bare, bare + 2
    return (content[:end].removesuffix(b"\r"), content[begin:]) if end >= 0 else (content, b"")


MAX_MEMOIZED_HEAD = 2_000
"""Bytes of the largest header section that is memoized."""
MAX_MEMOIZED_HEADS = 300_000
"""Bytes of all memoized header sections together, with their fields."""


@memoized(size=MAX_MEMOIZED_HEADS, largest=MAX_MEMOIZED_HEAD, times=12)
def _head(head: bytes) -> Head:
    """Parse a header section. Memoized, because the mails of an app often differ only in the seconds of Date."""
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
        parameters=(parameters := _parameters(content_type[:1000]) if content_type else {}),
        file_name=_file_name(fields, parameters),
    )


def _parameters(content_type: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for match in _PARAMETER.finditer(content_type):
        if (name := match[1].lower()) in _PARAMETERS:
            found.setdefault(name, match[2] if match[2] is not None else match[3])
    return found


_FILE_NAME = re.compile(rb";[ \t\r\n]*filename\*?[ \t]*=[ \t]*(?:\"([^\"]{0,200})|([^;\s]{1,200}))", re.IGNORECASE)


def _file_name(fields: dict[str, bytes], parameters: dict[bytes, bytes]) -> str:
    found = _FILE_NAME.search(fields.get("content-disposition", b"")[:1000])
    return _text((found[1] or found[2] or b"") if found else parameters.get(b"name", b""), 100)


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


MAX_MEMOIZED_FIELD = 200
"""Bytes of the largest field whose text is memoized. With the number of entries, this bounds the memory."""


def _text_of(raw: bytes | None, limit: int) -> str:
    if not raw:
        return ""
    return _memoized_text(raw, limit) if len(raw) <= MAX_MEMOIZED_FIELD else _text(raw, limit)


@lru_cache(maxsize=1_024)
def _memoized_text(raw: bytes, limit: int) -> str:
    """Return the text of a field. Memoized, because all mails of an app have the same sender and subject."""
    return _text(raw, limit)


def _text(raw: bytes, limit: int) -> str:
    return one_line(_decoded(charsets.decode(_FOLDED.sub(b" ", raw), "")), limit)


def _decoded(text: str) -> str:
    """Decode encoded words. Adjacent words in one charset are decoded together: some senders split characters."""
    if "=?" not in text:
        return text
    text = _BETWEEN.sub("", text)
    pieces: list[str] = []
    pending, charset, done = b"", "", 0
    for match in _ENCODED.finditer(text):
        if pending and (match.start() > done or match[1].lower() != charset):
            pieces.append(charsets.decode(pending, charset))
            pending = b""
        pieces.append(text[done : match.start()])
        pending, charset, done = pending + _word_bytes(match), match[1].lower(), match.end()
    return "".join(pieces) + charsets.decode(pending, charset) + text[done:]


def _word_bytes(match: re.Match[str]) -> bytes:
    data = match[3]
    if match[2] in "qQ":
        plain = data.replace("_", " ").encode("latin-1", "replace")
        return _HEX_PAIR.sub(lambda pair: chr(int(pair[1], 16)), plain.decode("latin-1")).encode("latin-1")
    try:
        return a2b_base64(data.encode("ascii", "replace") + b"==")
    except Error:
        return data.encode("utf-8", "replace")
