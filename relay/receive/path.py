"""Parse the arguments of MAIL and RCPT: a path, then parameters.

The grammar is RFC 5321, section 4.1.2, with UTF-8 as in RFC 6531, section 3.3. The parser is more lenient where known
clients need it: a space after the colon, no angle brackets, no domain, a dot at the end of the domain, an underscore in
it. Source routes are read and dropped (RFC 5321, appendix C). Every expression takes time linear in its text.
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
"""Address literals except IPv6 (RFC 5321, section 4.1.3): an IPv4 address, or a tag and any content."""
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\x00-\x20\x7f]+))?")


class Path(NamedTuple):
    """A mailbox ("" for the null path `<>`) and its parameters; a parameter without a value has ""."""

    address: str
    parameters: dict[str, str]
    """Values by name in upper case."""
    duplicated: bool
    """True if a parameter was given twice."""
    malformed: bool
    """True if there was a malformed parameter."""


@functools.lru_cache(maxsize=512)
def parse_path(argument: str, keyword: str) -> Path | None:
    """Parse the argument of MAIL (`keyword` FROM) or RCPT (TO). Results are cached, since apps repeat themselves.

    Returns None if the argument is malformed: no keyword, or no valid path.
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
            return None  # without brackets this is more likely an address with spaces in it
        if parameter is None:
            malformed = True
            continue
        name = parameter[1].upper()
        duplicated = duplicated or name in parameters
        parameters[name] = parameter[2] or ""
    return Path(address, parameters, duplicated, malformed)


def _is_literal(text: str) -> bool:
    """True if `text` in brackets is an address literal."""
    tag, _, address = text.partition(":")
    if tag.upper() == "IPV6":
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            return False
        return True
    return _LITERAL.fullmatch(text) is not None
