"""The name that the relay gives in EHLO: a name of this machine or of the sender, never an address literal.

Servers refuse names that only this machine can resolve, such as the name of a container. They refuse an address literal
(`[192.0.2.1]`) even more often: RFC 5321 section 4.1.4 allows it, but Google's relay answers 421.
"""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress

LOOKUP_TIMEOUT = 2.0
"""Seconds to wait for the full name of this machine. It is usually in /etc/hosts; a slow resolver is not waited for."""

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_FULL_NAME = re.compile(rf"(?:{_LABEL}\.)+(?!\d+\.?$){_LABEL}", re.IGNORECASE)
_LOCAL = ("localhost", "localdomain", "local", "lan", "internal", "home", "corp", "home.arpa")
"""Domains that are valid only inside of one network (RFC 6761, 6762, 8375)."""


def is_public_name(name: str) -> bool:
    """Return whether `name` is a host name with a domain that others may resolve."""
    return bool(_FULL_NAME.fullmatch(name)) and not name.lower().endswith(tuple(f".{each}" for each in _LOCAL))


async def ehlo_name(configured: str, sender: str, *, machine: str = "") -> str:
    """Return `configured` if it is set, else the full name of this machine, else the domain of `sender`.

    `machine` is the name of this machine, by default the system's. If none of these is a public name, the
    sender's domain or the machine's name is used as it is.
    """
    if configured:
        return configured
    machine = machine or socket.gethostname()
    domain = _ascii(sender.rpartition("@")[2])
    for name in (machine, domain):
        if is_public_name(name):
            return name
        if name is machine and is_public_name(full := await _canonical_name(machine)):
            return full
    return next((name for name in (domain, machine) if re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", name)), "localhost")


def _ascii(domain: str) -> str:
    with suppress(UnicodeError):
        return domain.encode("idna").decode("ascii")
    return ""


async def _canonical_name(machine: str) -> str:
    """Return the name that the resolver (first of all /etc/hosts) gives to this machine, "" if it takes too long."""
    with suppress(OSError, UnicodeError, TimeoutError):
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            found = await asyncio.get_running_loop().getaddrinfo(machine, None, flags=socket.AI_CANONNAME)
        return str(found[0][3]) if found else ""
    return ""
