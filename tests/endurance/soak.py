"""Soak test: a relay under mixed load and faults for minutes. At the end the books balance, and nothing leaked.

    python -m tests.endurance.soak [--minutes 10] [--seed N] [--json FILE]

Real processes and a real upstream. The clients (`mixed_clients.py`): one connection for each mail, persistent
connections, our handler, STARTTLS, mails of megabytes, slow clients, aborting clients. Every few seconds there is a
fault: the upstream refuses, hangs, drops or defers, the ledger is locked, SIGHUP; in the first third of the time also a
killed receiver or worker.

The processes that run after that stay to the end. After a warm-up, the medians of their memory, descriptors and so on
in the first third of the remaining time are compared with those of the last third. Finally everything is reported and
compared with what was sent. Exits with 1 if a target is missed.
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
from tests.endurance.mixed_clients import MixedClients, certificate_settings, mixed_clients
from tests.endurance.vitals import ROLES, Sample, first_and_last, published_counter, sampled, take_sample
from tests.support.books import Balance, all_reported, eager_relay, final_balance
from tests.support.processes import Relay, wait_for
from tests.support.senders import running
from tests.support.upstream import Action, Upstream, drop, hang

IDLE = 5
"""Seconds that a client may take for a command."""
PROCESS_GROWTH = {"memory, MiB": (1.1, 5.0), "descriptors": (1.0, 6.0), "threads": (1.0, 2.0)}
"""Allowed growth of a median: a factor and an amount. Descriptors and threads follow the number of clients."""
TASK_GROWTH = {"receiver tasks": (1.0, 4.0)}
"""Each running TLS handshake has a task. Tasks of the worker end with each delivery attempt and its event loop."""
FILE_GROWTH = {"write-ahead log, MiB": (1.25, 4.0), "spool, MiB": (1.25, 16.0)}


class Faults:
    """Injects one fault after the other; some take seconds."""

    def __init__(self, relay: Relay, upstream: Upstream, rng: random.Random) -> None:
        self._relay, self._upstream, self._random = relay, upstream, rng
        self.happened: Counter[str] = Counter()
        faults: dict[str, Callable[[], None]] = {
            "upstream refuses": self._stop_upstream,
            "upstream hangs": lambda: self._set_upstream_action(hang, "GREETING", "EHLO", "MAIL", "DATA", "DOT"),
            "upstream drops": lambda: self._set_upstream_action(drop, "GREETING", "RCPT", "DOT", "ACCEPTED", "QUIT"),
            "upstream defers": lambda: self._set_upstream_action("421 4.3.2 not now", "GREETING", "MAIL", "DATA"),
            "ledger locked": self._lock_ledger,
            "SIGHUP": self._reload,
        }
        kills: dict[str, Callable[[], None]] = {
            "receiver killed": lambda: relay.kill("receiver"),
            "worker killed": lambda: relay.kill("worker"),
        }
        self._faults, self._all = [*faults.items()], [*faults.items(), *kills.items(), *kills.items(), *kills.items()]

    def inject(self, *, kill: bool) -> None:
        """Inject a random fault; with `kill` it may end a process."""
        name, happen = self._random.choice(self._all if kill else self._faults)
        happen()
        self.happened[name] += 1

    def _stop_upstream(self) -> None:
        self._upstream.stop()
        time.sleep(self._random.uniform(1, 4))
        self._upstream.start()

    def _set_upstream_action(self, action: Action, *places: str) -> None:
        self._upstream.say(self._random.choice(places), action, times=1)

    def _lock_ledger(self) -> None:
        with closing(sqlite3.connect(self._relay.data / "ledger.db", timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(self._random.uniform(1, 4))
            other.execute("ROLLBACK")

    def _reload(self) -> None:
        assert self._relay.process
        os.kill(self._relay.process.pid, signal.SIGHUP)


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Run the soak and yield the figures."""
    seconds = options.minutes * 60
    with tempfile.TemporaryDirectory() as name, Upstream() as upstream:
        folder = Path(name)
        relay = eager_relay(
            folder,
            upstream,
            smtp={"listen": "127.0.0.1:0", "idle_timeout": f"{IDLE}s", **certificate_settings(folder)},
            upstream={"timeout": "2s"},
        )
        with relay:
            before = _warm_up(relay, upstream)
            faults, clients = Faults(relay, upstream, random.Random(options.seed)), mixed_clients(relay)
            with running(list(clients)), sampled(relay, max(0.5, seconds / 300)) as samples:
                began = time.monotonic()
                _inject_faults(faults, began, seconds)
            upstream.reset()
            found = final_balance(relay, upstream, clients.counted, seconds=300)
            after = _idle_sample(relay)
    yield from _load_figures(clients, faults, seconds, options.seed)
    yield from _book_figures(found)
    yield from _growth_figures([each for each in samples if each.at >= began + seconds / 2])
    yield from _idle_figures(before, after)


def _warm_up(relay: Relay, upstream: Upstream) -> Sample:
    """Return a sample after a first mail has gone all the way to the upstream."""
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=60) as client:
        client.sendmail("app@example.com", ["you@example.com"], "Subject: App Failed\r\n\r\nIt is the first one.\r\n")
    upstream.wait_for(1, 60)
    wait_for(lambda: all_reported(relay), "the first mail to be reported")
    return _idle_sample(relay)


def _inject_faults(faults: Faults, began: float, seconds: float) -> None:
    """Inject a fault every few seconds; processes are killed only in the first third."""
    while (spent := time.monotonic() - began) < seconds:
        faults.inject(kill=spent < seconds / 3)
        time.sleep(min(4.0, seconds / 30))
        print(f"\r{spent:.0f} of {seconds:.0f} s, {faults.happened.total()} faults", end="", file=sys.stderr)
    print(file=sys.stderr)


def _idle_sample(relay: Relay) -> Sample:
    """Return a sample when no client is connected."""
    wait_for(lambda: published_counter(relay, "connections") == 0, "all connections to end")
    return take_sample(relay)


def _load_figures(clients: MixedClients, faults: Faults, seconds: float, seed: int) -> Iterator[Figure]:
    yield Figure(name="load and faults", value=seconds, unit="s", note=f"seed {seed}")
    for name, number in sorted(faults.happened.items()):
        yield Figure(name=name, value=number, unit="times")
    yield Figure(name="clients that disconnected in the middle", value=clients.aborting.aborted, unit="")
    yield Figure(name="slow clients disconnected", value=clients.slow.ended, unit="")
    yield judged("longest time of a slow client", clients.slow.longest, "s", most=4 * IDLE)


def _book_figures(found: Balance) -> Iterator[Figure]:
    yield judged("mails accepted", found.accepted, "", least=1, note=f"{found.unknown} more without a reply")
    yield Figure(name="reported", value=found.reported, unit="", note=f"in {found.digests} digests")
    yield Figure(name="digests that arrived twice", value=found.repeated, unit="", note="each with the same Message-ID")
    yield judged("lost", found.lost, "", most=0)
    yield judged("counted twice", found.counted_twice, "", most=0)
    yield judged("parked or undelivered", found.not_reported, "", most=0)
    yield judged("unbalanced books", not found.balanced, "", most=0)


def _growth_figures(samples: list[Sample]) -> Iterator[Figure]:
    """Compare the last third with the first, for each process and file."""
    allowances = (
        {f"{role} {what}": allowed for role in ROLES for what, allowed in PROCESS_GROWTH.items()}
        | TASK_GROWTH
        | FILE_GROWTH
    )
    for name, (factor, amount) in allowances.items():
        first, last = first_and_last(samples, name)
        most = round(first * factor + amount, 1)
        yield judged(f"{name}: last third", last, "", most=most, note=f"first third {first:,.1f}")


def _idle_figures(before: Sample, after: Sample) -> Iterator[Figure]:
    """Compare the idle sample after the load with the one before."""
    allowances = {"receiver descriptors": 6, "worker descriptors": 6, "receiver tasks": 0}
    for name, more in allowances.items():
        most = before.numbers[name] + more
        yield judged(f"{name}, idle", after.numbers[name], "", most=most, note=f"before {before.numbers[name]:.0f}")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))


if __name__ == "__main__":
    sys.exit(report(__doc__, measure, options_of=_options))
