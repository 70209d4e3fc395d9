"""The real processes under a clock that is set a year ahead and right again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tests.support.disks import FailingMachine
from tests.support.processes import Relay, send_mail, wait_for

pytestmark = pytest.mark.e2e
YEAR = 365 * 86_400


def reported(relay: Relay, number: int) -> bool:
    """Whether so many mails were received, all of them reported."""
    status = relay.status()
    assert status["balanced"]
    return status["received"] == status["reported"] == number


def test_year_ahead_and_back_neither_silences_nor_floods_nor_purges(tmp_path: Path):
    machine = FailingMachine(tmp_path)
    relay = Relay(tmp_path / "relay", timing={"first_wait": "1s", "interval": "1s", "steps": ["1s"]})
    relay.environ.update(machine.environ)
    with relay:
        for number, (off_by, words) in enumerate([(0, "one"), (YEAR, "two"), (0, "three")], 1):
            machine.set_clock(off_by)
            send_mail(relay.smtp_port, f"{words} is lost")
            wait_for(partial(reported, relay, number), f"the mail {words!r} to be reported")
        groups = json.loads(relay.run("groups", "--json").stdout)
        messages = json.loads(relay.run("outbox", "list", "--json").stdout)
        sample = relay.run("show", str(groups[-1]["id"])).stdout

    assert len(groups) == 3
    assert 3 <= len(messages) <= 6
    assert "is lost" in sample
