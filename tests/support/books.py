"""Compare what the apps sent with what the digests report, for a relay that reports every second."""

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
    """Return a relay (not started) that defers nothing and retries after one second; `tables` override relay.toml."""
    through = {"host": upstream.host, "port": upstream.port, "security": "none", "retry": ["1s"]}
    defaults: dict[str, Any] = {
        "admins": ["one@example.com", "two@example.com"],
        "sender": "relay@example.com",
        "timing": {"first_wait": "1s", "interval": "1s", "steps": ["1s"]},
        "budget": {"per_hour": 100000, "burst": 1000, "per_day": 100000},
    }
    return Relay(folder, **{**defaults, **tables, "upstream": {**through, **tables.get("upstream", {})}})


class Account(Protocol):
    """What one app sent: errors with one location, whose name is part of their title."""

    place: str
    accepted: set[str]
    """Mails that the relay accepted (250)."""
    unknown: int
    """Mails without a reply, which the relay may have accepted."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """The mails that the relay received, and what became of them."""

    accepted: int
    unknown: int
    reported: int
    """Reported mails: for each app the highest count of all inboxes, summed up."""
    digests: int
    repeated: int
    """Digests that arrived more than once, each with the same Message-ID."""
    lost: int
    """Mails that were accepted and are neither reported nor parked nor undelivered."""
    counted_twice: int
    balanced: bool
    not_reported: int
    """Mails parked or undelivered."""


def all_reported(relay: Relay) -> bool:
    """Return whether no mail is pending or in the backlog, and no digest is on its way."""
    status = relay.status()
    return status["pending"] == 0 and status["spooled_unsorted"] == 0 and status["letters_open"] == 0


def _reported_for(account: Account, counts: Counter[str]) -> int:
    return sum(number for title, number in counts.items() if account.place in title)


def final_balance(relay: Relay, upstream: Upstream, accounts: Sequence[Account], *, seconds: float = 120) -> Balance:
    """Wait until everything is reported, then compare each account with the digests in each inbox.

    Raises AssertionError after `seconds`.
    """
    wait_for(lambda: all_reported(relay), "everything to be reported", seconds)
    status = relay.status()
    inboxes = {recipient for mail in upstream.mails for recipient in mail.recipients}
    counts = [reported_counts(mail for mail in upstream.mails if inbox in mail.recipients) for inbox in inboxes]
    by_place = {each.place: [_reported_for(each, count) for count in counts] or [0] for each in accounts}
    missing = sum(max(0, len(each.accepted) - min(by_place[each.place])) for each in accounts)
    not_reported = status["parked"] + status["undelivered"]
    return Balance(
        accepted=sum(len(each.accepted) for each in accounts),
        unknown=sum(each.unknown for each in accounts),
        reported=sum(map(max, by_place.values())),
        digests=len(unique(upstream.mails)),
        repeated=len(upstream.mails) - len(unique(upstream.mails)),
        lost=max(0, missing - not_reported),
        counted_twice=sum(max(0, max(by_place[each.place]) - len(each.accepted) - each.unknown) for each in accounts),
        balanced=status["balanced"],
        not_reported=not_reported,
    )
