"""Keeps a list of networks (standard library)."""

import ipaddress


def subnet(text):
    return ipaddress.ip_network(text)


def contains(text, address):
    return ipaddress.ip_address(address) in subnet(text)


def run_host_bits(rng):
    """A network with host bits set."""
    return contains(f"10.{rng.randrange(99)}.0.7/24", "10.0.0.1")


def run_no_address(rng):
    """No address at all."""
    return contains("10.0.0.0/8", f"10.0.0.{rng.randrange(256, 999)}")
