"""Find secrets in HTTP headers: credentials behind their scheme (RFC 9110, 11.4) and cookies (RFC 6265)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from relay.redact.secret import MASK, MAX_VALUE, Secret
from relay.redact.values import Value

HEADERS = frozenset(("authorization", "authorisation", "cookie"))
_LINE = re.compile(rf"[^\n]{{1,{MAX_VALUE}}}")
_QUOTED = {quote: re.compile(rf"(?:[^{quote}\\\n]|\\.){{1,{MAX_VALUE}}}") for quote in "\"'"}
_UP_TO_QUOTE = {quote: re.compile(rf"[^{quote}\n]{{1,{MAX_VALUE}}}") for quote in "\"'"}
_OPENING = re.compile(r"\[?b?(?P<slashes>\\{0,15})(?P<quote>[\"'])")
_SCHEME = re.compile(r"(?:Bearer|Basic|Digest|Token|Negotiate|NTLM|ApiKey|JWT|OAuth|Splunk|SSWS) {1,3}", re.IGNORECASE)
_ONE_WORD = re.compile(r"(?:Bearer|Basic|Token|Negotiate|NTLM|ApiKey|JWT|Splunk|SSWS) ", re.IGNORECASE)
_PARTS = re.compile(r"[;,=\s\"]+")
_MAX_PARTS = 20

_CREDENTIALS = re.compile(
    rf"(?<![\w-])(?:[Bb]earer (?=[\w.~+/-]{{0,200}}\d)(?P<bearer>[\w.~+/-]{{16,{MAX_VALUE}}}={{0,2}})"
    rf"|[Bb]asic (?P<basic>[A-Za-z0-9+/]{{8,{MAX_VALUE}}}={{0,2}})(?![\w-]))"
)
_DIGEST = re.compile(r"(?<![\w-])(?P<name>response|cnonce)=\"?(?P<value>[0-9a-fA-F]{8,128})")


PREFILTER = ("earer ", "asic ", "nonce=", "response=")
"""Every text in which `credentials` finds something contains one of these, in lower case."""


def header_value(text: str, name: str, label_start: int, start: int) -> Value | None:
    """The secret part of a header's value that begins at `start`: credentials without their scheme, or all cookies.

    `label_start` is the start of the header's name. Returns None if the value is empty or masked already.
    """
    begin, stop = _extent(text, label_start, start)
    scheme = _SCHEME.match(text, begin, stop) if name != "cookie" else None
    one_word = scheme is not None and _ONE_WORD.match(scheme[0]) is not None
    if scheme:
        begin = scheme.end()
        if one_word and (space := text.find(" ", begin, stop)) >= 0:
            stop = begin + len(text[begin:space].rstrip(",;)}]"))
    word = text[begin:stop].strip()
    if not word or word == MASK:
        return None
    repeats = [word, password_in(word)] if one_word else _parts(word)
    spans = tuple(Secret(begin, stop, "" if MASK in repeat else repeat) for repeat in repeats) or (Secret(begin, stop),)
    return Value(begin, stop, stop, spans)


def _extent(text: str, label_start: int, start: int) -> tuple[int, int]:
    """Start and end of the value: up to the quote that matches the opening one, else to the end of the line."""
    opening = _OPENING.match(text, start)
    if opening:
        pattern = _UP_TO_QUOTE if opening["slashes"] else _QUOTED
        match = pattern[opening["quote"]].match(text, opening.end())
        begin, stop = opening.end(), match.end() if match else opening.end()
        return begin, begin + len(text[begin:stop].rstrip("\\"))
    before = text[label_start - 1 : label_start]
    match = _UP_TO_QUOTE[before].match(text, start) if before in ('"', "'") and before else _LINE.match(text, start)
    return start, start + len(match[0].rstrip()) if match else start


def _parts(word: str) -> list[str]:
    parts = (part for part in _PARTS.split(word) if len(part) >= 8 and any(char.isdigit() for char in part))
    longest = max(_PARTS.split(word), key=len)
    return list(dict.fromkeys([longest, *parts]))[:_MAX_PARTS]


def password_in(credentials: str) -> str:
    """The password in credentials of the scheme Basic (RFC 7617): base64 of `user:password`. Returns "" without one."""
    try:
        decoded = binascii.a2b_base64(credentials[:1_000].encode("ascii", "replace")).decode("utf-8")
    except ValueError:
        return ""
    return decoded.partition(":")[2] if decoded.isprintable() else ""


def credentials(text: str, lower: str) -> Iterator[Secret]:
    """Find credentials behind their scheme anywhere in `text`, with or without a header name before them."""
    if "earer " in text or "asic " in text:
        for match in _CREDENTIALS.finditer(text):
            if match["bearer"]:
                yield Secret(*match.span("bearer"), match["bearer"])
            elif password := password_in(match["basic"]):
                yield Secret(*match.span("basic"), match["basic"])
                yield Secret(*match.span("basic"), password)
    if "nonce=" in lower:
        for match in _DIGEST.finditer(text):
            yield Secret(*match.span("value"), match["value"])
