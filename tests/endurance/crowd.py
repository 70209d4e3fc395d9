"""A crowd at the door: 2,000 idle clients, 10,000 connections a minute, 500 at once, 500 large mails at once.

    python -m tests.endurance.crowd [--json FILE]

All against one real `relay serve` on the loopback, from eight of its addresses. The idle ones stay while the others
come: the longest-idle go, nobody else is refused. Exits 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness.figures import Figure, judged, report
from tests.endurance.crowd_clients import ADDRESSES, LARGE, close, come, descriptors, gone, have_descriptors, peak
from tests.support.processes import Relay, wait_for
from tests.support.receiving import RawClient

IDLE = 2000
CAP = 1000
"""`smtp.max_connections`."""
MINUTE = 10_000
AT_ONCE = 500
PROMISED = 120.0
"""MiB that a process may take, whatever comes."""


def measure(_: argparse.Namespace) -> Iterator[Figure]:
    """Run it all and yield the figures."""
    have_descriptors(IDLE + AT_ONCE + 100)
    with tempfile.TemporaryDirectory() as name, Relay(Path(name)) as relay:
        receiver = wait_for(lambda: relay.child("receiver"), "the receiver")
        idle = [come(relay.smtp_port, ADDRESSES[number % len(ADDRESSES)]) for number in range(IDLE)]
        wait_for(lambda: descriptors(receiver) < CAP + 50, "those who are told to leave to have left")
        there = [number for number, client in enumerate(idle) if not gone(client)]
        yield judged("idle clients that came", IDLE, "", least=IDLE, note="from eight addresses")
        yield judged("of them still there", len(there), "", most=CAP, note="the cap in all")
        yield judged(
            "gone though later than one that is there", sum(each < IDLE - len(there) for each in there), "", most=0
        )
        yield judged("receiver, peak with them", peak(receiver), "MiB", most=PROMISED)
        found = load(relay, "--mails", str(MINUTE), "--rate", str(MINUTE / 60), "--clients", "64")
        yield judged("connections with a mail, each minute", 60 * MINUTE / max(60, found["seconds"]), "", least=9_900)
        yield judged(
            "of them refused", found["failures"], "", most=0, note=f"p99 of a 250: {1000 * found['p99']:.0f} ms"
        )
        found = load(relay, "--mails", str(4 * AT_ONCE), "--clients", str(AT_ONCE))
        yield judged("clients at once, refused", found["failures"], "", most=0, note=f"{AT_ONCE} of them")
        yield judged(
            "large mails at once, refused", large(relay), "", most=0, note=f"{AT_ONCE} of {len(LARGE):,} bytes"
        )
        yield judged("receiver, peak of it all", peak(receiver), "MiB", most=PROMISED)
        close(idle)
        sent = MINUTE + 5 * AT_ONCE
        wait_for(lambda: relay.status()["received"] >= sent, "all to be sorted", 600)
        yield judged("mails that are not in the books", sent - relay.status()["received"], "", most=0)


def load(relay: Relay, *options: str) -> dict[str, Any]:
    """What `load.py` found, as a process of its own."""
    command = [sys.executable, "-m", "benchmarks.harness.load", str(relay.smtp_port), *options]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def large(relay: Relay) -> int:
    """Have all under way at once; return how many were refused."""
    clients = [
        RawClient(relay.smtp_port, address=ADDRESSES[n % len(ADDRESSES)]).greet().begin_data() for n in range(AT_ONCE)
    ]
    for client in clients:
        client.send(LARGE)
    refused = sum(client.say(b".") != "250 2.6.0" for client in clients)
    close(clients)
    return refused


if __name__ == "__main__":
    sys.exit(report(__doc__, measure))
