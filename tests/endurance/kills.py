"""Kill a relay's processes repeatedly, at failpoints and at random times."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.support.paths import FAILING
from tests.support.processes import Relay

ROLES = ("receiver", "worker", "supervisor", "all")
POINTS = {
    "spool.write": "",
    "spool.sync": "",
    "spool.mark": "",
    "spool.answer": "",
    "spool.roll": "receiver",
    "spool.rename": "receiver",
    "spool.folder": "receiver",
    "spool.reserve": "receiver",
    "spool.remove": "receiver",
    "claims.write": "",
    "ingest.claimed": "",
    "ingest.commit": "",
    "ingest.committed": "",
    "ledger.commit": "",
    "ledger.committed": "",
    "digest.enqueue": "",
    "digest.enqueued": "",
    "outbox.claimed": "",
    "outbox.marked": "",
    "deliver.sent": "",
    "outbox.delivered": "",
    "outbox.settled": "",
    "housekeeping.clock": "worker",
    "housekeeping.purge": "worker",
}
"""Every failpoint, and the role that must be restarted to reach it, "" if it is reached soon anyway."""
REACHED_WITHIN = 30.0


def failpoint_environ(fault_file: Path) -> dict[str, str]:
    """Return the environment in which a relay dies at the failpoint named in `fault_file`."""
    return {"PYTHONPATH": str(FAILING), "RELAY_FAILPOINT": str(fault_file)}


class ProcessKiller:
    """Kills the processes of one relay."""

    def __init__(self, relay: Relay, rng: random.Random) -> None:
        self._relay = relay
        self._random = rng
        self._fault_file = relay.folder / "order"
        self.kills: Counter[str] = Counter()
        """By failpoint or role."""
        self.missed: list[str] = []
        """Failpoints that were not reached in time."""
        relay.environ.update(failpoint_environ(self._fault_file))
        _trust_the_clock(relay)

    def kill_at(self, point: str) -> None:
        """Kill the process that next reaches `point` (for the first to the third time)."""
        number = self._random.choice((1, 1, 2, 3)) if not POINTS[point] else 1
        new = self._fault_file.with_suffix(".new")
        new.write_text(f"{self._random.getrandbits(64):x} {point} {number}\n")
        new.rename(self._fault_file)
        if point == "spool.reserve":
            (self._relay.data / "spool" / "reserve").unlink(missing_ok=True)
        if POINTS[point]:
            self.role(POINTS[point])
        deadline = time.monotonic() + REACHED_WITHIN
        while self._fault_file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self._fault_file.exists():
            self._fault_file.unlink(missing_ok=True)
            self.missed.append(point)
        else:
            self.kills[point] += 1

    def role(self, role: str) -> None:
        """Kill a role at once; if the supervisor is dead, start the relay again."""
        for each in ("receiver", "worker", "supervisor") if role == "all" else (role,):
            self._relay.kill(each)
        self.kills[role] += 1
        if role in {"supervisor", "all"}:
            self._relay.start()

    def kill_at_random(self, role: str) -> None:
        """Kill a role at a random time in the next half second."""
        time.sleep(self._random.uniform(0.02, 0.5))
        self.role(role)


def _trust_the_clock(relay: Relay) -> None:
    """Let housekeeping trust the clock and purge from the start, as if the relay had run for a day."""
    relay.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = str(datetime.now(UTC))
    clock = {"stood_at": now, "believed_from": now}
    (relay.data / "housekeeping.json").write_text(json.dumps(clock))
