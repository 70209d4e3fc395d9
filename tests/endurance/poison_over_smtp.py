"""Send each mail of `tests/endurance/poisons.py` to a real relay over SMTP, followed by an ordinary mail."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass

from tests.endurance import poisons
from tests.support.processes import Relay, wait_for
from tests.support.receiving import RawClient

ACCEPTED, TOO_LARGE = "250 2.6.0", "552 5.3.4"


@dataclass(frozen=True, kw_only=True)
class PoisonResult:
    """The result of one poison."""

    name: str
    reply: str
    wait_seconds: float
    """Seconds from the 250 of the next mail until both mails are in the books."""


def wait_for_worker(relay: Relay) -> int:
    """Wait until the worker's pages respond; return its process id."""

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return bool(relay.get("/metrics"))
        return False

    wait_for(answers, "the worker's pages to respond")
    return relay.child("worker")


def send(relay: Relay, stream: bytes) -> str:
    """Send a mail in SMTP form on its own connection; return the code of the reply."""
    client = RawClient(relay.smtp_port).greet().begin_data()
    client.socket.settimeout(60)
    client.send(stream)
    try:
        return client.code()
    finally:
        client.close()


def ordinary_mail(name: str) -> bytes:
    """Return an ordinary mail."""
    return poisons.as_smtp_data(poisons.mail(f"behind {name}: {poisons.FRAME}ValueError in all".encode()))


def send_poison(relay: Relay, name: str) -> PoisonResult:
    """Send a poison and an ordinary mail after it; wait until both are ingested or parked."""
    before = received(relay)
    reply = send(relay, poisons.as_smtp_data(poisons.POISONS[name]()))
    assert send(relay, ordinary_mail(name)) == ACCEPTED
    began = time.monotonic()
    due = before + 1 + (reply == ACCEPTED)
    wait_for(lambda: received(relay) >= due, f"the books to show {name!r} and the next mail")
    return PoisonResult(name=name, reply=reply, wait_seconds=time.monotonic() - began)


def received(relay: Relay) -> int:
    """Return the number of mails in the ledger, from the metrics."""
    found = re.search(r"^relay_mails_received_total ([\d.e+]+)$", relay.get("/metrics"), re.MULTILINE)
    return int(float(found[1])) if found else 0
