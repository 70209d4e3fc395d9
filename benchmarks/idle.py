"""What a relay costs while nothing happens: processor time of all its processes and of its health checks.

    python -m benchmarks.idle [--full] [--json FILE]

A real relay takes one mail, reports it and is then left alone for a minute (five with `--full`). Counted is the
processor time of supervisor, receiver and worker as getrusage(2) counts it, in per cent of one core, and that of
`relay health` at the interval of the container's health check. Then the first mail after the pause: how long its 250
takes, and how long its digest.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness.figures import Figure, judged, report
from benchmarks.harness.mails import mail_of_one_line
from benchmarks.harness.relays import Client, MeasuredRelay

SECONDS, SECONDS_FULL = 60.0, 300.0
SETTLED_AFTER = 15.0
"""Seconds after a mail: then the spool's last segment is renewed too."""
CHECKS = 5
"""Runs of `relay health` whose median counts."""
FIRST_WAIT = 10.0
"""`timing.first_wait` in seconds."""
DOCKERFILE = Path(__file__).parent.parent / "Dockerfile"


def processor_time(process: int) -> float:
    """Seconds of processor time of a running process: user and system, all threads (clock_getcpuclockid(3))."""
    return time.clock_gettime((~process << 3) | 2)


def health_interval() -> float:
    """Seconds between two health checks of the container."""
    found = re.search(r'--interval=(\d+)s .*"--pause", "(\d+)"', DOCKERFILE.read_text("utf-8"))
    return float(found[1]) + float(found[2]) if found else 30.0


def report_one(relay: MeasuredRelay, number: int) -> tuple[float, float]:
    """Send one mail of a new error; return the seconds until its 250 and until its digest is delivered."""
    before = len(list((relay.data / "mailbox" / "new").glob("*")))
    with Client(relay.smtp) as client:
        began = time.monotonic()
        _send(client, mail_of_one_line(number))
        accepted = time.monotonic() - began
    while len(list((relay.data / "mailbox" / "new").glob("*"))) == before:
        time.sleep(0.02)
    return accepted, time.monotonic() - began


def _send(client: Client, mail: str) -> None:
    client.begin()
    client.content(mail)
    client.end()


def health_check(relay: MeasuredRelay) -> float:
    """Seconds of processor time of one `relay health`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = relay.started("health", log="health.log")
    if process.wait():
        raise RuntimeError("the relay is not healthy")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Measure the idle processes, the health check, and the first mail after the pause."""
    seconds = SECONDS_FULL if options.full else SECONDS
    with tempfile.TemporaryDirectory() as folder, MeasuredRelay(Path(folder)) as relay:
        relay.shown()
        first = report_one(relay, 1)
        time.sleep(SETTLED_AFTER)
        processes = {"supervisor": relay.pid, "receiver": relay.child("receiver"), "worker": relay.child("worker")}
        before = {role: processor_time(process) for role, process in processes.items()}
        began = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        shares = {role: (processor_time(pid) - before[role]) / passed * 100 for role, pid in processes.items()}
        again = report_one(relay, 2)
        check = statistics.median(health_check(relay) for _ in range(CHECKS))
    for role, share in shares.items():
        yield Figure(name=f"idle {role}", value=share, unit="%")
    interval = health_interval()
    checks = check / interval * 100
    yield Figure(name="health check", value=checks, unit="%", note=f"{check:.3f} s each {interval:g} s")
    yield judged("all of an idle relay", sum(shares.values()) + checks, "%", most=1.0, note=f"of a core, {seconds:g} s")
    yield Figure(name="250 after the pause", value=again[0] * 1000, unit="ms", note=f"{first[0] * 1000:.1f} before it")
    note = f"{first[1]:.2f} before it"
    yield judged("digest after the pause", again[1], "s", most=FIRST_WAIT + 1, note=note)


if __name__ == "__main__":
    sys.exit(report(__doc__ or "", measure, full="five minutes instead of one"))
