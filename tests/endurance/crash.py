"""Kill the relay's processes about 240 times under load, at every failpoint and at random, and check the books.

    python -m tests.endurance.crash                 240 kills, about ten minutes
    python -m tests.endurance.crash --kills 1000

Four apps send without a pause. Two of them try once for each mail, as the stock handler does; two retry until the 250,
as our client does. The upstream is stopped and started meanwhile. Exits with 1 if a mail that got its 250 is not
reported, or is reported twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.endurance.kills import POINTS, ROLES, ProcessKiller
from tests.support.books import Balance, eager_relay, final_balance
from tests.support.senders import sending
from tests.support.upstream import Upstream

PAUSE = 0.005
"""Seconds each app waits between two mails: the program counts kills, not mails."""


def main() -> int:
    """Run the program. Return 0 if nothing was lost and nothing was counted twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=240)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    wanted = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Upstream() as upstream:
        relay = eager_relay(Path(folder), upstream)
        killer = ProcessKiller(relay, random.Random(wanted.seed))
        relay.start()
        try:
            with sending(relay, pause=PAUSE) as senders:
                _kill_under_load(killer, upstream, wanted.kills)
            found = final_balance(relay, upstream, senders, seconds=300)
        finally:
            relay.stop()
    _print(killer, found, wanted.seed, time.monotonic() - began)
    return 0 if (found.lost, found.counted_twice, found.balanced) == (0, 0, True) else 1


def _kill_under_load(killer: ProcessKiller, upstream: Upstream, kills: int) -> None:
    """Kill at each failpoint in turn and then at random; stop the upstream for two failpoints of eleven."""
    number = 0
    while sum(killer.kills.values()) < kills:
        point = list(POINTS)[number % len(POINTS)]
        killer.kill_at(point)
        killer.kill_at_random(ROLES[number % len(ROLES)])
        if number % 11 == 3:
            upstream.stop()
        if number % 11 == 5:
            upstream.start()
        number += 1
        print(f"\r{sum(killer.kills.values())} kills", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _print(killer: ProcessKiller, found: Balance, seed: int, seconds: float) -> None:
    for name, kills in sorted(killer.kills.items()):
        print(f"{kills:>8}  {name}")
    if killer.missed:
        print(f"          not reached in time: {', '.join(sorted(killer.missed))}")
    print(f"{sum(killer.kills.values()):>8}  kills in {seconds:.0f} s (seed {seed})")
    print(f"{found.accepted:>8,}  mails accepted ({found.unknown} more sent, with their replies lost by a kill)")
    print(f"{found.reported:>8,}  reported in {found.digests} digests, {found.repeated} of them sent twice")
    print(f"{found.lost:>8,}  lost")
    print(f"{found.counted_twice:>8,}  counted twice")
    books = "balance" if found.balanced else "DO NOT BALANCE"
    print(f"{found.not_reported:>8,}  parked or undelivered; the books {books}")


if __name__ == "__main__":
    sys.exit(main())
