"""Fixtures: a relay and an upstream that requires STARTTLS and a password, as in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Relay
from tests.support.upstream import Upstream, authority_in

ADMINS = ["one@example.com", "two@example.com"]
USER, PASSWORD = "relay@example.com", "open sesame"
QUICK = {"first_wait": "1s", "interval": "1s", "steps": ["1s"]}
GENEROUS = {"per_hour": 100000, "burst": 1000, "per_day": 100000}


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """A real SMTP server with STARTTLS, its own certificate authority, and required AUTH."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    certificate = authority_in(folder).issue_cert("localhost")
    with Upstream(security="starttls", certificate=certificate, users={USER: PASSWORD}) as server:
        yield server


@pytest.fixture
def make_relay(tmp_path: Path, upstream: Upstream) -> Callable[..., Relay]:
    """Return a function that configures (and does not start) a relay with `upstream`; `tables` override relay.toml."""

    def make(**tables: Any) -> Relay:
        through = {
            "host": upstream.host,
            "port": upstream.port,
            "security": "starttls",
            "username": USER,
            "password": PASSWORD,
            "ca_file": tmp_path / "upstream" / "ca.pem",
            "timeout": "5s",
            "retry": ["1s"],
        }
        defaults: dict[str, Any] = {"admins": ADMINS, "sender": USER, "timing": QUICK, "budget": GENEROUS}
        return Relay(tmp_path / "relay", **{**defaults, "upstream": through, **tables})

    return make
