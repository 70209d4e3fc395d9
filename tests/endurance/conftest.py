"""Fixtures for every test here: a relay and its upstream."""

from tests.support.relay_with_upstream import make_relay, upstream

__all__ = ["make_relay", "upstream"]
