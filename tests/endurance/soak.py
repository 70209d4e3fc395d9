"""A relay under mixed load and faults for minutes: the books balance at the end, and nothing leaked.

    python -m tests.endurance.soak [--minutes 10] [--seed N] [--json FILE]

Real processes and a real upstream. `mixed.py` has the clients: one connection for each mail, kept ones, our handler,
STARTTLS, mails of megabytes, some who trickle, some who leave. Every few seconds something goes wrong: the upstream
refuses, hangs, drops, defers, the ledger is locked, SIGHUP, and in the first third receiver or worker are killed. Who
comes then stays to the end: after a while to warm up, the medians of what it holds in the first third of the rest are
compared with those of the last third. Then all is told, and what was sent is compared with it. Exits 1 where a target
is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import smtplib
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.harness.figures import Figure, judged, report
from tests.endurance.mixed_clients import Mixed, certified, mixed
from tests.endurance.vitals import ROLES, Sample, first_and_last, look, published, watched
from tests.support.books import Balance, all_reported, eager_relay, final_balance
from tests.support.processes import Relay, wait_for
from tests.support.senders import running
from tests.support.upstream import Action, Upstream, drop, hang

IDLE = 5
"""Seconds that a client may owe the relay a command."""
SLACK = {"memory, MiB": (1.1, 5.0), "descriptors": (1.0, 6.0), "threads": (1.0, 2.0)}
"""By what a median may grow: a factor and an amount. Descriptors and threads follow the clients of the moment."""
TASKS = {"receiver tasks": (1.0, 4.0)}
"""Handshakes of the moment have one each. The worker's end with each try to hand a digest over, with their loop."""
FILES = {"write-ahead log, MiB": (1.25, 4.0), "spool, MiB": (1.25, 16.0)}


class Faults:
    """What goes wrong, one thing after the other; some take seconds."""

    def __init__(self, relay: Relay, upstream: Upstream, chance: random.Random) -> None:
        self._relay, self._upstream, self._chance = relay, upstream, chance
        self.happened: Counter[str] = Counter()
        gentle: dict[str, Callable[[], None]] = {
            "upstream refuses": self._refuse,
            "upstream hangs": lambda: self._say(hang, "GREETING", "EHLO", "MAIL", "DATA", "DOT"),
            "upstream drops": lambda: self._say(drop, "GREETING", "RCPT", "DOT", "ACCEPTED", "QUIT"),
            "upstream defers": lambda: self._say("421 4.3.2 not now", "GREETING", "MAIL", "DATA"),
            "ledger locked": self._lock,
            "SIGHUP": self._have_it_reread,
        }
        kills: dict[str, Callable[[], None]] = {
            "receiver killed": lambda: relay.kill("receiver"),
            "worker killed": lambda: relay.kill("worker"),
        }
        self._gentle, self._all = [*gentle.items()], [*gentle.items(), *kills.items(), *kills.items(), *kills.items()]

    def strike(self, *, deadly: bool) -> None:
        """Have one happen; where `deadly`, it may end a process."""
        name, happen = self._chance.choice(self._all if deadly else self._gentle)
        happen()
        self.happened[name] += 1

    def _refuse(self) -> None:
        self._upstream.stop()
        time.sleep(self._chance.uniform(1, 4))
        self._upstream.start()

    def _say(self, action: Action, *places: str) -> None:
        self._upstream.say(self._chance.choice(places), action, times=1)

    def _lock(self) -> None:
        with closing(sqlite3.connect(self._relay.data / "ledger.db", timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(self._chance.uniform(1, 4))
            other.execute("ROLLBACK")

    def _have_it_reread(self) -> None:
        assert self._relay.process
        os.kill(self._relay.process.pid, signal.SIGHUP)


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Run it all and yield the figures."""
    seconds = options.minutes * 60
    with tempfile.TemporaryDirectory() as name, Upstream() as upstream:
        folder = Path(name)
        relay = eager_relay(
            folder,
            upstream,
            smtp={"listen": "127.0.0.1:0", "idle_timeout": f"{IDLE}s", **certified(folder)},
            upstream={"timeout": "2s"},
        )
        with relay:
            before = _warm(relay, upstream)
            faults, clients = Faults(relay, upstream, random.Random(options.seed)), mixed(relay)
            with running(list(clients)), watched(relay, max(0.5, seconds / 300)) as samples:
                began = time.monotonic()
                _have_faults(faults, began, seconds)
            upstream.reset()
            found = final_balance(relay, upstream, clients.counted, seconds=300)
            after = _at_rest(relay)
    yield from _of_load(clients, faults, seconds, options.seed)
    yield from _of_books(found)
    yield from _of_growth([each for each in samples if each.at >= began + seconds / 2])
    yield from _of_rest(before, after)


def _warm(relay: Relay, upstream: Upstream) -> Sample:
    """What is held once a first mail has gone all the way."""
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=60) as client:
        client.sendmail("app@example.com", ["you@example.com"], "Subject: App Failed\r\n\r\nIt is the first one.\r\n")
    upstream.wait_for(1, 60)
    wait_for(lambda: all_reported(relay), "the first mail to be told")
    return _at_rest(relay)


def _have_faults(faults: Faults, began: float, seconds: float) -> None:
    """One fault every few seconds; those that end processes come in the first third alone."""
    while (spent := time.monotonic() - began) < seconds:
        faults.strike(deadly=spent < seconds / 3)
        time.sleep(min(4.0, seconds / 30))
        print(f"\r{spent:.0f} of {seconds:.0f} s, {faults.happened.total()} faults", end="", file=sys.stderr)
    print(file=sys.stderr)


def _at_rest(relay: Relay) -> Sample:
    """What is held when nobody is connected any more."""
    wait_for(lambda: published(relay, "connections") == 0, "all connections to end")
    return look(relay)


def _of_load(clients: Mixed, faults: Faults, seconds: float, seed: int) -> Iterator[Figure]:
    yield Figure(name="load and faults", value=seconds, unit="s", note=f"seed {seed}")
    for name, number in sorted(faults.happened.items()):
        yield Figure(name=name, value=number, unit="times")
    yield Figure(name="clients that left in the middle", value=clients.leaving.left, unit="")
    yield Figure(name="slow clients ended", value=clients.slow.ended, unit="")
    yield judged("the longest a slow client was suffered", clients.slow.longest, "s", most=4 * IDLE)


def _of_books(found: Balance) -> Iterator[Figure]:
    yield judged("mails accepted", found.accepted, "", least=1, note=f"{found.unknown} more without an answer")
    yield Figure(name="reported", value=found.reported, unit="", note=f"in {found.digests} digests")
    yield Figure(name="digests that came twice", value=found.repeated, unit="", note="each with the same Message-ID")
    yield judged("lost", found.lost, "", most=0)
    yield judged("counted twice", found.counted_twice, "", most=0)
    yield judged("parked or undelivered", found.not_reported, "", most=0)
    yield judged("books that do not balance", not found.balanced, "", most=0)


def _of_growth(samples: list[Sample]) -> Iterator[Figure]:
    """The last third against the first, for each process and file."""
    slack = {f"{role} {what}": allowed for role in ROLES for what, allowed in SLACK.items()} | TASKS | FILES
    for name, (factor, amount) in slack.items():
        first, last = first_and_last(samples, name)
        most = round(first * factor + amount, 1)
        yield judged(f"{name}: last third", last, "", most=most, note=f"first third {first:,.1f}")


def _of_rest(before: Sample, after: Sample) -> Iterator[Figure]:
    """What is still held when all is over, against what was before the first client came."""
    slack = {"receiver descriptors": 6, "worker descriptors": 6, "receiver tasks": 0}
    for name, more in slack.items():
        most = before.numbers[name] + more
        yield judged(f"{name}, at rest", after.numbers[name], "", most=most, note=f"before {before.numbers[name]:.0f}")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))


if __name__ == "__main__":
    sys.exit(report(__doc__, measure, options_of=_options))
