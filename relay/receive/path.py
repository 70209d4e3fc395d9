"""The arguments of MAIL and RCPT: a path, then parameters (RFC 5321 4.1.2, with UTF-8 as in RFC 6531 3.3).

Wider than the grammar where clients are known to be: a space after the colon, no angle
brackets, no domain, an underscore in a domain. Source routes are read and dropped (appendix C).
Every expression takes time linear in its text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ATOM = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"]+"
_DOTTED = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"'
_DOMAIN = r"(?:[\w-]+(?:\.[\w-]+)*|\[[\w.:-]+\])"
_MAILBOX = rf"(?:{_DOTTED}|{_QUOTED})(?:@{_DOMAIN})?"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"
_ARGUMENT = re.compile(rf"[ \t]*(?:<(?:{_ROUTE}({_MAILBOX}))?>|({_MAILBOX}))(?:[ \t]+(.*))?")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\x00-\x20\x7f]+))?")


class Path(NamedTuple):
    """A mailbox ("" for the null path `<>`) and what followed it; a parameter without a value has ""."""

    address: str
    parameters: dict[str, str]


def parse_path(argument: str, keyword: str) -> Path | None:
    """Read the argument of MAIL (`keyword` FROM) or RCPT (TO); parameters' names in upper case.

    None where it is malformed: no keyword, no valid path, a parameter that is none or is given twice.
    """
    head, colon, rest = argument.partition(":")
    match = _ARGUMENT.fullmatch(rest.rstrip(" \t"))
    if not colon or head.strip().upper() != keyword or match is None:
        return None
    parameters: dict[str, str] = {}
    for text in (match[3] or "").split():
        parameter = _PARAMETER.fullmatch(text)
        if parameter is None or parameter[1].upper() in parameters:
            return None
        parameters[parameter[1].upper()] = parameter[2] or ""
    return Path(match[1] or match[2] or "", parameters)
