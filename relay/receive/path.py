"""The arguments of MAIL and RCPT: a path, then parameters (RFC 5321 4.1.2, with UTF-8 as in RFC 6531 3.3).

Wider than the grammar where clients are known to be: a space after the colon, no angle
brackets, no domain, a dot at a domain's end, an underscore in it. Source routes are read and
dropped (appendix C). Every expression takes time linear in its text.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import NamedTuple

_ATOM = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"\ud800-\udfff]+"
_DOTTED = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f\ud800-\udfff]|\\[\x20-\x7e])*"'
_LABEL = r"(?!-)[\w-]+(?<!-)"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[\w.:-]+\])"
_MAILBOX = rf"(?:{_DOTTED}|{_QUOTED})(?:@{_DOMAIN})?"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"
_ARGUMENT = re.compile(rf"[ \t]*(?:<(?:{_ROUTE}({_MAILBOX}))?>|({_MAILBOX}))(?:[ \t]+(.*))?")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_LITERAL = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}|[A-Za-z0-9-]*[A-Za-z0-9]:.+")
"""RFC 5321 4.1.3 but for IPv6: an IPv4 address, or a tag and whatever it stands for."""
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\x00-\x20\x7f]+))?")


class Path(NamedTuple):
    """A mailbox ("" for the null path `<>`) and what followed it; a parameter without a value has ""."""

    address: str
    parameters: dict[str, str]
    """By name, in upper case."""
    duplicated: bool
    """True where a parameter was given twice."""
    malformed: bool
    """True where there was a parameter that is none."""


@functools.lru_cache(maxsize=512)
def parse_path(argument: str, keyword: str) -> Path | None:
    """Read the argument of MAIL (`keyword` FROM) or RCPT (TO); what was read lately is known (apps repeat themselves).

    None where it is malformed: no keyword, no valid path.
    """
    head, colon, rest = argument.partition(":")
    match = _ARGUMENT.fullmatch(rest.rstrip(" \t"))
    if not colon or head.upper() != keyword or match is None:
        return None
    address = match[1] or match[2] or ""
    if address.endswith("]") and not _is_literal(address[address.rindex("[") + 1 : -1]):
        return None
    parameters: dict[str, str] = {}
    duplicated = malformed = False
    for text in filter(None, re.split("[ \t]+", match[3] or "")):
        parameter = _PARAMETER.fullmatch(text)
        if parameter is None and match[2]:
            return None  # without brackets it is rather an address with blanks in it
        if parameter is None:
            malformed = True
            continue
        name = parameter[1].upper()
        duplicated = duplicated or name in parameters
        parameters[name] = parameter[2] or ""
    return Path(address, parameters, duplicated, malformed)


def _is_literal(text: str) -> bool:
    """True where brackets around `text` make an address literal."""
    tag, _, address = text.partition(":")
    if tag.upper() == "IPV6":
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            return False
        return True
    return _LITERAL.fullmatch(text) is not None
