"""Judge from values whether the worker is alive (`/livez`) and whether digests are delivered (`/readyz`).

Each check comes with one sentence that an administrator can act on; docs/operations.md explains every sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from relay.humanize import counted, moment
from relay.ledger import Tally
from relay.model import Delayed, UpstreamKey, UpstreamState
from relay.model.histogram import Histogram
from relay.outbox.advice import describe_delays, upstream_health

STUCK_AFTER = 60.0
"""Seconds without an iteration after which a thread of the worker counts as stuck."""
RECEIVER_TIMEOUT = timedelta(seconds=30)
"""How long a receiver may publish no counters before it counts as gone."""
MIN_FREE_BYTES = 4 * 2**20
"""Bytes that the spool needs for a segment and its reserve; with less it may count mails without storing them."""
DISK_ADVICE = "mails may be counted but not stored; free space on the disk of storage.data_dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The state of the worker's process and of the receiver at one time."""

    idle_seconds: Mapping[str, float]
    """Seconds since the last iteration of each thread, by its name (`sorting`, `delivery`)."""
    longest_delivery: float
    """Seconds that one delivery may take."""
    backlog: int
    """Mails in the spool that are not ingested yet."""
    receiver_seen_at: datetime | None
    """When the receiver last published its counters; None if it never did."""
    receiver_counters: Mapping[str, float]
    """The counters that it published."""
    reply_seconds: Histogram | None = None
    """The times to 250 that it published."""
    ingest_seconds: Histogram | None = None
    """The times from the receipt of a mail to its ingest, since the worker started."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """The failures that block the worker now, as sentences, by part (`ledger`, `spool`)."""
    damaged: tuple[int, int] = (0, 0)
    """The number of regions of the spool that could not be read, and their size in bytes."""
    upstream: UpstreamKey = field(default_factory=lambda: UpstreamKey(worker="", target=""))
    """Which state of the upstream is this worker's."""
    free_bytes: int | None = None
    """Free bytes on the disk of the data directory; None if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The verdict on one part, with a sentence."""

    name: str
    ok: bool
    text: str


def alive(vitals: Vitals) -> tuple[Check, ...]:
    """Judge the worker's threads: one that no longer iterates is stuck."""
    return tuple(_thread(name, seconds, vitals) for name, seconds in vitals.idle_seconds.items())


def _thread(name: str, seconds: float, vitals: Vitals) -> Check:
    limit = STUCK_AFTER + (vitals.longest_delivery if name == "delivery" else 0)
    ok = seconds < limit
    return Check(name=name, ok=ok, text="works" if ok else f"has done nothing for {seconds:.0f} s: restart the relay")


def ready(
    vitals: Vitals,
    upstream: UpstreamState,
    tally: Tally,
    *,
    host: str,
    now: datetime,
    zone: tzinfo,
    next_try_at: datetime | None = None,
    delayed: Sequence[Delayed] = (),
) -> tuple[Check, ...]:
    """Judge every part between an app's mail and the admins' inbox.

    `host` is the upstream's, "" for the local mailbox. Times are written in `zone`. `next_try_at` is when the next
    message is due, None if there is none. `delayed` are the recipients whom a message has not reached although it was
    tried.
    """
    found = upstream_health(upstream, name=host, next_message_at=next_try_at, now=now, zone=zone)
    return (
        *alive(vitals),
        _receiver(vitals, now, zone),
        *storage(vitals),
        Check(name="upstream", ok=found.ok, text=found.sentence),
        _outbox(tally, delayed, zone),
    )


def budget(held: str) -> Check:
    """Report who waits for the budget (`held`, "" if nobody does). The relay is ready all the same."""
    return Check(name="budget", ok=True, text=held or "holds nothing back")


def recipients(bounces: str) -> Check:
    """Report whose digests come back (`bounces`, "" if nobody's do). The relay is ready: others get theirs."""
    return Check(name="recipients", ok=True, text=bounces or "no digest bounced")


def without_ledger(vitals: Vitals, reason: str, now: datetime, zone: tzinfo) -> tuple[Check, ...]:
    """Judge what can be judged while the ledger cannot be read; `reason` says why."""
    others = (check for check in storage(vitals) if check.name != "ledger")
    return (*alive(vitals), _receiver(vitals, now, zone), *others, Check(name="ledger", ok=False, text=reason))


def _receiver(vitals: Vitals, now: datetime, zone: tzinfo) -> Check:
    seen = vitals.receiver_seen_at
    if seen is None:
        return Check(name="receiver", ok=False, text="has not started yet: no mail is accepted")
    if now - seen > RECEIVER_TIMEOUT:
        return Check(name="receiver", ok=False, text=f"has been silent since {moment(seen, zone)}")
    return Check(name="receiver", ok=True, text="accepts mail")


def storage(vitals: Vitals) -> tuple[Check, ...]:
    """Judge the disk, and report the failures that block the worker."""
    return (_disk(vitals), *(Check(name=name, ok=False, text=text) for name, text in vitals.failures.items()))


def _disk(vitals: Vitals) -> Check:
    """Judge the free space. Damage in the spool is reported but is no reason for 503: nothing can repair it."""
    if vitals.free_bytes is not None and vitals.free_bytes < MIN_FREE_BYTES:
        return Check(name="disk", ok=False, text=f"is full ({vitals.free_bytes / 2**20:.1f} MiB left): {DISK_ADVICE}")
    regions, size = vitals.damaged
    if regions:
        text = f"{counted(regions, 'region')} of the spool damaged ({counted(size, 'byte')}): the mails there are lost"
        return Check(name="disk", ok=True, text=text)
    return Check(name="disk", ok=True, text="has free space")


def _outbox(tally: Tally, delayed: Sequence[Delayed], zone: tzinfo) -> Check:
    parts = [f"{tally.messages_open} open"]
    if delayed:
        parts.append(describe_delays(delayed, zone))
    if tally.messages_dead:
        parts.append(f"{tally.messages_dead} dead: see `relay outbox list`, then `relay outbox retry ID` or `drop ID`")
    return Check(name="outbox", ok=True, text="; ".join(parts))
