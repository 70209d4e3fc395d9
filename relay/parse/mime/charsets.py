"""Decode bytes in any charset that Python supports; the charset label may be wrong, unknown or hostile."""

from __future__ import annotations

from encodings import aliases, normalize_encoding
from functools import lru_cache

_WITHOUT_ALIAS = (
    "koi8_u koi8_t cp720 cp737 cp856 cp874 cp875 cp1006 mac_arabic mac_croatian mac_farsi mac_romanian utf_8_sig"
)
_UNSAFE = frozenset(("punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "dbcs", "oem"))
"""Codecs that are no mail charsets: their decoders take quadratic time, emit warnings or always fail."""
_KNOWN = frozenset((*aliases.aliases, *aliases.aliases.values(), *_WITHOUT_ALIAS.split())) - _UNSAFE
"""Names are looked up here first, because Python caches every unknown codec name forever."""
_WIDE = ("utf_16", "utf_32", "u16", "u32")


def decode(data: bytes, charset: str) -> str:
    """Decode `data` in `charset`, or in UTF-8 if the charset is unknown. Invalid bytes become U+FFFD. Never raises."""
    name = _codec(charset[:40])
    try:
        return data.decode(name, "replace")
    except (LookupError, ValueError):  # a codec that gives no text, or one without support for "replace"
        return data.decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    name = normalize_encoding(charset).lower()
    known = name in _KNOWN and aliases.aliases.get(name, name) not in (*_UNSAFE, "ascii")
    return name if known else "utf-8"


def decode_tail(data: bytes, charset: str) -> str:
    """Decode the tail of a text like `decode`. The tail may begin in the middle of a multi-byte character."""
    if not normalize_encoding(charset[:40]).lower().startswith(_WIDE):
        return decode(data, charset)
    return max((decode(data[shift:], charset) for shift in range(4)), key=_ascii_share)


def _ascii_share(text: str) -> int:
    return sum(char.isascii() for char in text[:2000])
