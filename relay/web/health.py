"""Judges from values whether the relay is alive and whether mail really gets out.

Each verdict is in words that an administrator can act on; docs/operations.md explains every answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from relay.ledger import Tally
from relay.model import Delayed, UpstreamState
from relay.outbox.advice import describe_delays, upstream_health

STUCK = 60.0
"""Seconds without a turn after which a thread of the worker is taken for stuck."""
RECEIVER_SILENT = timedelta(seconds=30)
"""A receiver that has published nothing for so long is taken for gone."""
LEAST_ROOM = 4 * 2**20
"""Bytes that the spool wants for a segment and its reserve; with less it may have to count mails instead."""
MAKE_ROOM = "mails may only be counted; make room on the disk of storage.data_dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What the worker's process knows of itself and of the receiver at one moment."""

    turns: Mapping[str, float]
    """Seconds since each thread's last turn, by its name. A delivery under way may take `longest_delivery`."""
    longest_delivery: float
    unsorted: int
    """Mails in the spool that are not sorted yet."""
    receiver_seen_at: datetime | None
    """When the receiver last published its counters; None where it never did."""
    receiver: Mapping[str, float]
    """Those counters."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """What stands in the worker's way at this moment, in words, by the part it is about (`ledger`, `spool`)."""
    damaged: tuple[int, int] = (0, 0)
    """Stretches of the spool that could not be read back, and their bytes."""
    free: int | None = None
    """Bytes free on the disk of the data directory; None where that cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One verdict."""

    name: str
    ok: bool
    words: str


def alive(vitals: Vitals) -> tuple[Check, ...]:
    """Judge the worker's threads: one that does not turn any more is dead."""
    return tuple(_turning(name, seconds, vitals) for name, seconds in vitals.turns.items())


def _turning(name: str, seconds: float, vitals: Vitals) -> Check:
    limit = STUCK + (vitals.longest_delivery if name == "delivery" else 0)
    ok = seconds < limit
    return Check(name=name, ok=ok, words="works" if ok else f"has done nothing for {seconds:.0f} s: restart the relay")


def ready(
    vitals: Vitals,
    upstream: UpstreamState,
    tally: Tally,
    *,
    host: str,
    now: datetime,
    next_message_at: datetime | None = None,
    delayed: Sequence[Delayed] = (),
) -> tuple[Check, ...]:
    """Judge everything between an app's mail and the admins' inbox.

    `host` is the upstream's, "" for the mailbox; `next_message_at` is when a letter is to be tried, None for no letter;
    `delayed` are those whom one has not reached though it was tried.
    """
    found = upstream_health(upstream, name=host, next_message_at=next_message_at, now=now)
    return (
        *alive(vitals),
        _receiver(vitals, now),
        *storage(vitals),
        Check(name="upstream", ok=found.ok, words=found.sentence),
        _outbox(tally, delayed),
    )


def without_ledger(vitals: Vitals, words: str, now: datetime) -> tuple[Check, ...]:
    """Judge what can be judged while the ledger cannot be read; `words` say why."""
    others = (check for check in storage(vitals) if check.name != "ledger")
    return (*alive(vitals), _receiver(vitals, now), *others, Check(name="ledger", ok=False, words=words))


def _receiver(vitals: Vitals, now: datetime) -> Check:
    seen = vitals.receiver_seen_at
    if seen is None:
        return Check(name="receiver", ok=False, words="has not started yet: no mail is taken")
    if now - seen > RECEIVER_SILENT:
        return Check(name="receiver", ok=False, words=f"gives no sign of life since {seen:%Y-%m-%d %H:%M:%S} UTC")
    return Check(name="receiver", ok=True, words="takes mail")


def storage(vitals: Vitals) -> tuple[Check, ...]:
    """Judge the disk, and whatever else stands in the worker's way."""
    return (_disk(vitals), *(Check(name=name, ok=False, words=words) for name, words in vitals.troubles.items()))


def _disk(vitals: Vitals) -> Check:
    """Judge the room that is left; what the spool could not give back is told with it, and past help."""
    if vitals.free is not None and vitals.free < LEAST_ROOM:
        return Check(name="disk", ok=False, words=f"is full ({vitals.free / 2**20:.1f} MiB left): {MAKE_ROOM}")
    stretches, size = vitals.damaged
    if stretches:
        words = f"{stretches} stretches of the spool ({size:,} bytes) were damaged: the mails that stood there are lost"
        return Check(name="disk", ok=True, words=words)
    return Check(name="disk", ok=True, words="has room")


def _outbox(tally: Tally, delayed: Sequence[Delayed]) -> Check:
    words = [f"{tally.messages_open} under way"]
    if delayed:
        words.append(describe_delays(delayed))
    if tally.messages_dead:
        words.append(f"{tally.messages_dead} dead: see `relay outbox list`, then `relay outbox retry ID` or `drop ID`")
    return Check(name="outbox", ok=True, words="; ".join(words))
