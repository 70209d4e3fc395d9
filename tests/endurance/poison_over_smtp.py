"""Poison over the wire: each mail of `tests/endurance/poisons.py` sent to a real relay, an ordinary one behind it."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass

from tests.endurance import poisons
from tests.support.processes import Relay, wait_for
from tests.support.receiving import RawClient

TAKEN, TOO_LARGE = "250 2.6.0", "552 5.3.4"


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of one poison."""

    name: str
    answer: str
    behind: float
    """Seconds from the 250 of the mail behind it until both are in the books."""


def at_work(relay: Relay) -> int:
    """Wait until the worker's pages answer; return its process."""

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return bool(relay.get("/metrics"))
        return False

    wait_for(answers, "the worker to work")
    return relay.child("worker")


def send(relay: Relay, wire: bytes) -> str:
    """Send a mail, dots doubled and ended, over a connection of its own; return the answer to it."""
    client = RawClient(relay.smtp_port).greet().begin_data()
    client.socket.settimeout(60)
    client.send(wire)
    try:
        return client.code()
    finally:
        client.close()


def ordinary(name: str) -> bytes:
    """A mail like any other."""
    return poisons.over_the_wire(poisons.mail(f"behind {name}: {poisons.FRAME}ValueError in all".encode()))


def poisoned(relay: Relay, name: str) -> Fate:
    """Send that poison and an ordinary mail behind it; wait until both are sorted or parked."""
    before = received(relay)
    answer = send(relay, poisons.over_the_wire(poisons.POISONS[name]()))
    assert send(relay, ordinary(name)) == TAKEN
    began = time.monotonic()
    due = before + 1 + (answer == TAKEN)
    wait_for(lambda: received(relay) >= due, f"the books to show {name!r} and the mail behind it")
    return Fate(name=name, answer=answer, behind=time.monotonic() - began)


def received(relay: Relay) -> int:
    """How many mails the ledger has, by the metrics."""
    found = re.search(r"^relay_mails_received_total ([\d.e+]+)$", relay.get("/metrics"), re.MULTILINE)
    return int(float(found[1])) if found else 0
