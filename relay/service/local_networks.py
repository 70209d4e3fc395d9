"""Resolve the words `loopback`, `attached` and `any` in `smtp.clients` and `smtp.proxies` to networks."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_ROUTES = Path("/proc/net/route")
_WORDS = {"loopback": ("127.0.0.0/8", "::1/128"), "any": ("0.0.0.0/0", "::/0")}


def resolve(names: Iterable[str]) -> list[str]:
    """Return the networks of `names` in order; a name is a network or a word (`config.values.NETWORK_WORDS`)."""
    found: list[str] = []
    for name in names:
        found += attached() if name == "attached" else _WORDS.get(name, (name,))
    return found


def attached(routes: Path = _ROUTES) -> list[str]:
    """Return the IPv4 networks in which this machine or container has an address.

    They are the directly connected ones in the kernel's routing table (proc(5)); none if it cannot be read.
    """
    try:
        lines = routes.read_text("ascii").splitlines()[1:]
    except OSError:
        return []
    return sorted(set(_direct(lines)))


def _direct(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        _, destination, gateway, _, _, _, _, mask, *_ = line.split()
        if int(gateway, 16) == 0 and int(mask, 16) != 0:
            yield str(ipaddress.ip_network(f"{_dotted(destination)}/{_dotted(mask)}"))


def _dotted(text: str) -> str:
    """Convert an address of the routing table, hexadecimal in the machine's byte order, to dotted form."""
    return socket.inet_ntoa(struct.pack("=I", int(text, 16)))
