"""A relay that reports every second, and the balance at the end: what its apps sent against what its digests report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.support.processes import Relay, wait_for
from tests.support.received_digests import reported_counts, unique
from tests.support.upstream import Upstream


def eager_relay(folder: Path, upstream: Upstream, /, **tables: Any) -> Relay:
    """A relay (not started) that defers nothing and retries after a second; `tables` override, as in relay.toml."""
    through = {"host": upstream.host, "port": upstream.port, "security": "none", "retry": ["1s"]}
    defaults: dict[str, Any] = {
        "admins": ["one@example.com", "two@example.com"],
        "sender": "relay@example.com",
        "timing": {"first_wait": "1s", "interval": "1s", "steps": ["1s"]},
        "budget": {"per_hour": 100000, "burst": 1000, "per_day": 100000},
    }
    return Relay(folder, **{**defaults, **tables, "upstream": {**through, **tables.get("upstream", {})}})


class Account(Protocol):
    """What one app sent: errors at one place, whose name stands in their title."""

    place: str
    accepted: set[str]
    """What the relay has said it has."""
    unknown: int
    """Mails without an answer, which may have been taken."""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """What went in and what came out."""

    accepted: int
    unknown: int
    reported: int
    """In the inbox that was told most."""
    digests: int
    repeated: int
    """Digests that came more than once, each with the same Message-ID."""
    lost: int
    """Mails that were accepted and are neither told nor put aside."""
    twice: int
    balanced: bool
    aside: int
    """Mails parked or undelivered."""


def settled(relay: Relay) -> bool:
    status = relay.status()
    return status["pending"] == 0 and status["spooled_unsorted"] == 0 and status["letters_open"] == 0


def _told_of(account: Account, counts: Counter[str]) -> int:
    return sum(number for title, number in counts.items() if account.place in title)


def summed_up(relay: Relay, upstream: Upstream, accounts: Sequence[Account], *, patience: float = 120) -> Sum:
    """Wait until everything is told, then compare each account with what the digests say, in each inbox by itself."""
    wait_for(lambda: settled(relay), "everything to be told", patience)
    status = relay.status()
    inboxes = {recipient for mail in upstream.mails for recipient in mail.recipients}
    counts = [reported_counts(mail for mail in upstream.mails if inbox in mail.recipients) for inbox in inboxes]
    by_place = {each.place: [_told_of(each, count) for count in counts] or [0] for each in accounts}
    missing = sum(max(0, len(each.accepted) - min(by_place[each.place])) for each in accounts)
    aside = status["parked"] + status["undelivered"]
    return Sum(
        accepted=sum(len(each.accepted) for each in accounts),
        unknown=sum(each.unknown for each in accounts),
        reported=sum(map(max, by_place.values())),
        digests=len(unique(upstream.mails)),
        repeated=len(upstream.mails) - len(unique(upstream.mails)),
        lost=max(0, missing - aside),
        twice=sum(max(0, max(by_place[each.place]) - len(each.accepted) - each.unknown) for each in accounts),
        balanced=status["balanced"],
        aside=aside,
    )
