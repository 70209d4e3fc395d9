"""Match client addresses against networks."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable


class Networks:
    """A set of networks (`10.0.0.0/8`, `::1/128`)."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Raises ValueError if a text is not a network."""
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in texts)
        self._lookup = functools.lru_cache(maxsize=1024)(self._contains)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def contains(self, address: str) -> bool:
        """True if `address` (from `plain_address`) is in one of the networks; "", a local socket, always is."""
        return self._lookup(address)

    def _contains(self, address: str) -> bool:
        if not address:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


@functools.lru_cache(maxsize=1024)
def plain_address(address: str) -> str:
    """Return `address` so that networks match: without its zone, and an IPv4-mapped IPv6 address as IPv4."""
    bare = address.partition("%")[0]
    if bare.lower().startswith("::ffff:"):
        mapped = ipaddress.IPv6Address(bare).ipv4_mapped
        return str(mapped) if mapped else bare
    return bare


@functools.lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """True if `address` is on the loopback; "" is a local socket."""
    try:
        return not address or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
