"""Kills a relay's processes again and again, at failpoints and at random."""

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
    "digest.freeze": "",
    "digest.frozen": "",
    "outbox.claimed": "",
    "outbox.marked": "",
    "deliver.sent": "",
    "outbox.delivered": "",
    "outbox.settled": "",
    "housekeeping.clock": "worker",
    "housekeeping.purge": "worker",
}
"""Every point, and the role whose death and new start leads to it where nothing else soon does."""
PATIENCE = 30.0


def failing_build(order: Path) -> dict[str, str]:
    """The environment in which a relay dies where the file `order` says."""
    return {"PYTHONPATH": str(FAILING), "RELAY_FAILPOINT": str(order)}


class ProcessKiller:
    """Kills the processes of one relay."""

    def __init__(self, relay: Relay, chance: random.Random) -> None:
        self._relay = relay
        self._chance = chance
        self._order = relay.folder / "order"
        self.kills: Counter[str] = Counter()
        """By the point, or the role."""
        self.missed: list[str] = []
        """Points that were not come to in time."""
        relay.environ.update(failing_build(self._order))
        _believe_the_clock(relay)

    def at(self, point: str) -> None:
        """Have the process die that next comes to `point` (for the first to the third time)."""
        number = self._chance.choice((1, 1, 2, 3)) if not POINTS[point] else 1
        new = self._order.with_suffix(".new")
        new.write_text(f"{self._chance.getrandbits(64):x} {point} {number}\n")
        new.rename(self._order)
        if point == "spool.reserve":
            (self._relay.data / "spool" / "reserve").unlink(missing_ok=True)
        if POINTS[point]:
            self.role(POINTS[point])
        deadline = time.monotonic() + PATIENCE
        while self._order.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self._order.exists():
            self._order.unlink(missing_ok=True)
            self.missed.append(point)
        else:
            self.kills[point] += 1

    def role(self, role: str) -> None:
        """Kill a role on the spot; a dead supervisor's relay is started again."""
        for each in ("receiver", "worker", "supervisor") if role == "all" else (role,):
            self._relay.kill(each)
        self.kills[role] += 1
        if role in {"supervisor", "all"}:
            self._relay.start()

    def at_random(self, role: str) -> None:
        """Kill a role at some moment of the next half second."""
        time.sleep(self._chance.uniform(0.02, 0.5))
        self.role(role)


def _believe_the_clock(relay: Relay) -> None:
    """As if the relay had run for a day: housekeeping believes the clock and purges from the start."""
    relay.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = str(datetime.now(UTC))
    kept = {"stood_at": now, "believed_from": now}
    (relay.data / "housekeeping.json").write_text(json.dumps(kept))
