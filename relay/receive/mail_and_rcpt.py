r"""Parse the arguments of MAIL and RCPT: a path, then parameters.

Sender and recipients are only hints, so a path is never judged. Clients should send what RFC 5321, section 4.1.2, asks
for, but every other text is accepted too: two dots, two `@`, no domain, missing or doubled brackets, a display name,
UTF-8 without SMTPUTF8, bytes that are not UTF-8. The only exception is control characters, which could forge lines of a
log or a header. Source routes are dropped (RFC 5321, appendix C). Every expression takes time linear in its text.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_LABELS = r"[\w.-]+|\[[\w.:-]+\]"
_ROUTE = re.compile(rf"@(?:{_LABELS})(?:,@(?:{_LABELS}))*+:(?=.)")
_FORMS = (
    re.compile(rf'<+((?:{_QUOTED}|[^">])*+)>+(.*)', re.DOTALL),
    re.compile(r"<+([^>]*)>+(.*)", re.DOTALL),  # with an open quotation mark
    re.compile(r"<+([^ \t]+)(.*)", re.DOTALL),  # without a closing bracket
)
"""Paths in angle brackets, the most regular form first; then whatever follows."""
_PARAMETER = r"[A-Za-z0-9][A-Za-z0-9-]*+(?:=[^ \t]*+)?"
_BARE = re.compile(rf"((?:{_QUOTED})?+[^ \t<>]*+)>*+((?:[ \t]++{_PARAMETER})*+)", re.DOTALL)
"""A path without angle brackets, then well-formed parameters."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SIZE = re.compile(r"(?:^|[ \t])SIZE=([0-9]{1,20})[0-9]*(?=[ \t]|$)", re.IGNORECASE | re.ASCII)


class Path(NamedTuple):
    """A mailbox, "" for the null path `<>`, and the one parameter that the relay honours."""

    address: str
    size: int
    """The mail's size in bytes as the client declared it (RFC 1870), 0 if it did not. Of several the last one counts.

    All other parameters need nothing from the relay (BODY, SMTPUTF8, AUTH), or nothing that it does (those of DSN).
    """


@functools.lru_cache(maxsize=512)
def parse_path(argument: str, keyword: str) -> Path | None:
    """Parse the argument of MAIL (`keyword` FROM) or RCPT (TO). Results are cached, since apps repeat themselves.

    Returns None if the keyword or any path is missing, or if there is a control character.
    """
    head, colon, rest = argument.partition(":")
    text = rest.strip(" \t")
    if not colon or head.upper() != keyword or not text.strip("<"):
        return None
    path, parameters = _split(text)
    if _CONTROL.search(path) or _CONTROL.search(parameters.replace("\t", " ")):
        return None
    route = _ROUTE.match(path)
    sizes = _SIZE.findall(parameters)
    return Path(_as_unicode(path[route.end() :] if route else path), int(sizes[-1]) if sizes else 0)


def _split(text: str) -> tuple[str, str]:
    """Return the path in `text` and the parameters behind it. A display name before the brackets is dropped."""
    bare = _BARE.fullmatch(text)
    if bare and bare[1]:
        return bare[1], bare[2]
    opening = text.find("<")
    found = opening >= 0 and next(filter(None, (form.match(text, opening) for form in _FORMS)), None)
    return (found[1], found[2]) if found else (text, "")


def _as_unicode(text: str) -> str:
    """Return `text` with a replacement character for each byte that was not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
