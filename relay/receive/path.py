"""The arguments of MAIL and RCPT: a path, then parameters (RFC 5321 4.1.2, with UTF-8 as in RFC 6531 3.3).

Wider than the grammar where clients are known to be: a space after the colon, no angle
brackets, no domain, a dot at a domain's end, an underscore in it. Source routes are read and
dropped (appendix C). Every expression takes time linear in its text.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_ATOM = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"\ud800-\udfff]+"
_DOTTED = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[\x20-\x7e])*"'
_DOMAIN = r"(?:[\w-]+(?:\.[\w-]+)*\.?|\[[\w.:-]+\])"
_MAILBOX = rf"(?:{_DOTTED}|{_QUOTED})(?:@{_DOMAIN})?"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"
_ARGUMENT = re.compile(rf"[ \t]*(?:<(?:{_ROUTE}({_MAILBOX}))?>|({_MAILBOX}))(?:[ \t]+(.*))?")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\x00-\x20\x7f]+))?")


class Path(NamedTuple):
    """A mailbox ("" for the null path `<>`) and what followed it; a parameter without a value has ""."""

    address: str
    parameters: dict[str, str]
    """By name, in upper case."""
    doubled: bool
    """True where a parameter was given twice."""


@functools.lru_cache(maxsize=512)
def parse_path(argument: str, keyword: str) -> Path | None:
    """Read the argument of MAIL (`keyword` FROM) or RCPT (TO); what was read lately is known (apps repeat themselves).

    None where it is malformed: no keyword, no valid path, a parameter that is none.
    """
    head, colon, rest = argument.partition(":")
    match = _ARGUMENT.fullmatch(rest.rstrip(" \t"))
    if not colon or head.strip().upper() != keyword or match is None:
        return None
    parameters: dict[str, str] = {}
    doubled = False
    for text in filter(None, re.split("[ \t]+", match[3] or "")):
        parameter = _PARAMETER.fullmatch(text)
        if parameter is None:
            return None
        name = parameter[1].upper()
        doubled = doubled or name in parameters
        parameters[name] = parameter[2] or ""
    return Path(match[1] or match[2] or "", parameters, doubled)
