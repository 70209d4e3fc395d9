"""Thousands of connections: 2,000 idle clients, 10,000 connections a minute, 500 at once, 500 large mails at once.

    python -m tests.endurance.crowd [--json FILE]

All of them connect to one real `relay serve` on the loopback, from eight of its addresses. The idle clients stay while
the others connect: the longest-idle ones are closed, and no other client is refused. Exits with 1 if a target is
missed.
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
from tests.endurance.crowd_clients import (
    ADDRESSES,
    LARGE,
    close_all,
    connect_idle,
    open_descriptors,
    peak_memory,
    require_descriptors,
    was_closed,
)
from tests.support.processes import Relay, wait_for
from tests.support.receiving import RawClient

IDLE = 2000
MAX_CONNECTIONS = 1000
"""`smtp.max_connections`."""
MAILS_PER_MINUTE = 10_000
AT_ONCE = 500
MEMORY_LIMIT = 120.0
"""MiB of memory that a process may use."""


def measure(_: argparse.Namespace) -> Iterator[Figure]:
    """Run all loads and yield the figures."""
    require_descriptors(IDLE + AT_ONCE + 100)
    with tempfile.TemporaryDirectory() as name, Relay(Path(name)) as relay:
        receiver = wait_for(lambda: relay.child("receiver"), "the receiver")
        idle = [connect_idle(relay.smtp_port, ADDRESSES[number % len(ADDRESSES)]) for number in range(IDLE)]
        wait_for(lambda: open_descriptors(receiver) < MAX_CONNECTIONS + 50, "the excess clients to be closed")
        remaining = [number for number, client in enumerate(idle) if not was_closed(client)]
        yield judged("idle clients connected", IDLE, "", least=IDLE, note="from eight addresses")
        yield judged("of them still connected", len(remaining), "", most=MAX_CONNECTIONS, note="the total limit")
        yield judged(
            "closed though idle for less time than a remaining one",
            sum(each < IDLE - len(remaining) for each in remaining),
            "",
            most=0,
        )
        yield judged("receiver, peak memory with idle clients", peak_memory(receiver), "MiB", most=MEMORY_LIMIT)
        found = load(relay, "--mails", str(MAILS_PER_MINUTE), "--rate", str(MAILS_PER_MINUTE / 60), "--clients", "64")
        yield judged(
            "connections with a mail, per minute", 60 * MAILS_PER_MINUTE / max(60, found["seconds"]), "", least=9_900
        )
        yield judged(
            "of them refused", found["failures"], "", most=0, note=f"p99 of a 250: {1000 * found['p99']:.0f} ms"
        )
        found = load(relay, "--mails", str(4 * AT_ONCE), "--clients", str(AT_ONCE))
        yield judged("clients at once, refused", found["failures"], "", most=0, note=f"{AT_ONCE} of them")
        yield judged(
            "large mails at once, refused",
            send_large_mails(relay),
            "",
            most=0,
            note=f"{AT_ONCE} of {len(LARGE):,} bytes",
        )
        yield judged("receiver, peak memory of all loads", peak_memory(receiver), "MiB", most=MEMORY_LIMIT)
        close_all(idle)
        sent = MAILS_PER_MINUTE + 5 * AT_ONCE
        wait_for(lambda: relay.status()["received"] >= sent, "all mails to be ingested", 600)
        yield judged("mails missing in the books", sent - relay.status()["received"], "", most=0)


def load(relay: Relay, *options: str) -> dict[str, Any]:
    """Run `benchmarks.harness.load` in its own process and return its result."""
    command = [sys.executable, "-m", "benchmarks.harness.load", str(relay.smtp_port), *options]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def send_large_mails(relay: Relay) -> int:
    """Send all large mails at once; return how many were refused."""
    clients = [
        RawClient(relay.smtp_port, address=ADDRESSES[n % len(ADDRESSES)]).greet().begin_data() for n in range(AT_ONCE)
    ]
    for client in clients:
        client.send(LARGE)
    refused = sum(client.say(b".") != "250 2.6.0" for client in clients)
    close_all(clients)
    return refused


if __name__ == "__main__":
    sys.exit(report(__doc__, measure))
