"""Decode bytes in any charset that Python supports; the charset label may be missing, wrong, unknown or hostile.

Valid UTF-8 is UTF-8, whatever the label says, except where the label names a charset whose bytes are valid UTF-8 too
(ISO-2022-JP, UTF-16). Else the label is tried, or the charset that the sender really meant by it: `gb2312` is GB18030.
Else the charset is guessed (charset-normalizer) from a bounded part of the text. U+FFFD appears only where no guess
can be read.
"""

from __future__ import annotations

import re
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
_STATEFUL = (*_WIDE, "iso2022", "iso_2022", "csiso2022", "hz", "utf_7", "utf7", "u7", "unicode_1_1_utf_7")
"""Charsets whose bytes can be valid UTF-8 but mean something else."""
_MEANT = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso8859_1": "cp1252",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
}
"""What senders mean by a charset: the larger one that Windows uses under the name of the smaller one."""
_GUESSED_FROM = 4_096
"""Bytes from which a charset is guessed."""
_ENOUGH = 6
"""With fewer bytes that are not ASCII, a guess is mere chance: Western European is the most frequent."""
_LEGACY = (
    "cp1252", "cp949", "gb18030", "cp932", "euc_jp", "big5hkscs", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1254",
    "cp1255", "cp1256", "cp874",
)  # fmt: skip
"""The charsets that a guess may name: those of mails without a label, in the world's languages."""
_NOT_ASCII = re.compile(rb"[^\x00-\x7f]")


def decode(data: bytes, charset: str) -> str:
    """Decode `data`, which is labelled with `charset` ("" for no label). Never raises."""
    name = _codec(charset[:40])
    if not name.startswith(_STATEFUL):
        try:
            return data.decode("utf-8")
        except ValueError:
            pass
    if name and (text := _strictly(data, name)) is not None:
        return text
    if not _mostly_utf8(data) and (guess := _guess(data)) and (text := _strictly(data, guess)) is not None:
        return text
    try:
        return data.decode(name or "utf-8", "replace")
    except (LookupError, ValueError):  # a codec that gives no text, or one without support for "replace"
        return data.decode("utf-8", "replace")


def _mostly_utf8(data: bytes) -> bool:
    """Return True if `data` is UTF-8 with some wrong bytes, such as a character that was cut."""
    text = data[:65_536].decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return len(_NOT_ASCII.findall(data, 0, 65_536)) > 3 * wrong


def _strictly(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (LookupError, ValueError):
        return None


@lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    """Return the codec for a label; "" for no label, an unknown one, and for ASCII, which 8-bit text is not."""
    name = normalize_encoding(charset).lower()
    known = name in _KNOWN and aliases.aliases.get(name, name) not in (*_UNSAFE, "ascii")
    found = aliases.aliases.get(name, name) if known else ""
    return _MEANT.get(found, found)


def _guess(data: bytes) -> str:
    """Return the charset that `data` is most likely in; "" if none of those in use fits."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - loaded for such mails only

    if len(_NOT_ASCII.findall(data, 0, 65_536)) < _ENOUGH:
        return "cp1252"
    sample = b"\n".join(line for line in data[:65_536].split(b"\n") if _NOT_ASCII.search(line))[:_GUESSED_FROM]
    best = from_bytes(sample, cp_isolation=list(_LEGACY), preemptive_behaviour=False).best()
    return best.encoding if best is not None else ""


def decode_tail(data: bytes, charset: str) -> str:
    """Decode the tail of a text like `decode`. The tail may begin in the middle of a multi-byte character."""
    if not normalize_encoding(charset[:40]).lower().startswith(_WIDE):
        return decode(data, charset)
    return max((decode(data[shift:], charset) for shift in range(4)), key=_ascii_share)


def _ascii_share(text: str) -> int:
    return sum(char.isascii() for char in text[:2000])
