"""Shares: what each part of a merged error has contributed to the counts of its face (schedule → merge; pure).

A share is not rewritten when the face is reported, or its mute or episode ends. It says of which report and mute it is
(`Share.reported_at`, `Share.muted_since`); `current` drops what is older. So the digest step, also that of an earlier
release, writes the face alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from relay.model import Arrival, Group, Member, Share

COUNTS = (
    "mails",
    "occurrences",
    "pending_mails",
    "pending_occurrences",
    "muted_mails",
    "muted_occurrences",
    "episode_occurrences",
    "episode_muted",
)


def share_of(member: Member) -> Share:
    """Return the share of a member; the times alone of a group that is not merged."""
    group = member.group
    return member.share or Share(first_seen=group.first_seen, last_seen=group.last_seen)


def current(share: Share, face: Group) -> Share:
    """Return the share without what the face has reported, forgotten or ended since it was written."""
    if share.reported_at != face.reported_at or not face.pending_occurrences:
        share = replace(share, pending_mails=0, pending_occurrences=0, pending_since=None)
    if share.muted_since != face.muted_since:
        share = replace(share, muted_mails=0, muted_occurrences=0)
    if face.episode_since and share.last_seen < face.episode_since:
        share = replace(share, episode_occurrences=0, episode_muted=0)
    return remarked(share, face)


def remarked(share: Share, face: Group) -> Share:
    """Return the share as one of the face's current report and mute."""
    return replace(share, reported_at=face.reported_at, muted_since=face.muted_since)


def rest_of_face(face: Member, members: Iterable[Member]) -> Share:
    """Return what the face has by itself: all that no part has."""
    parts = [current(share_of(each), face.group) for each in members if not each.is_face]
    counts = {name: max(0, getattr(face.group, name) - sum(getattr(p, name) for p in parts)) for name in COUNTS}
    pending = face.group.pending_since if counts["pending_occurrences"] else None
    return replace(share_of(face), **counts, pending_since=pending)


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier of two times, either of which may be missing."""
    return min(filter(None, (one, other)), default=None)


def added(share: Share, arrival: Arrival, *, pending: bool) -> Share:
    """Return the share with an arrival, which is pending or muted at the face."""
    share = replace(
        share,
        mails=share.mails + arrival.mails,
        occurrences=share.occurrences + arrival.occurrences,
        episode_occurrences=share.episode_occurrences + arrival.occurrences,
    )
    if pending:
        return replace(
            share,
            pending_mails=share.pending_mails + arrival.mails,
            pending_occurrences=share.pending_occurrences + arrival.occurrences,
            pending_since=earlier(share.pending_since, arrival.first),
        )
    return replace(
        share,
        muted_mails=share.muted_mails + arrival.mails,
        muted_occurrences=share.muted_occurrences + arrival.occurrences,
        episode_muted=share.episode_muted + arrival.occurrences,
    )


def with_current_shares(members: Iterable[Member], face: Group) -> Iterator[Member]:
    """Yield the members with their current shares. All shares together never exceed the counts of the face."""
    left = {name: getattr(face, name) for name in COUNTS}
    for each in members:
        if each.is_face:
            yield each
            continue
        share = current(share_of(each), face)
        counts = {name: min(getattr(share, name), left[name]) for name in COUNTS}
        left = {name: left[name] - number for name, number in counts.items()}
        yield replace(each, share=replace(share, **counts))
