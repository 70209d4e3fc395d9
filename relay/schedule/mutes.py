"""Mutes of one error: until a time, until it exceeds a rate, or both (pure; `group` applies them).

A mute begins with `begin` and is active until `muted_until`, or until the error exceeds `mute_above` occurrences an
hour. Mails that come while it is active are counted in `muted_mails` and `muted_occurrences`, and are part of the
episode. They are never reported by themselves. When the mute is over, the next digest of the route says so
(`is_over`), whatever error causes that digest. After that `forget` clears the fields.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from relay.model import Arrival, Group

HOUR = timedelta(hours=1)


def is_muted(group: Group, at: datetime) -> bool:
    """Whether the group is muted at this time."""
    if group.muted_until is None:
        return group.mute_above is not None
    return at < group.muted_until


def is_over(group: Group, at: datetime) -> bool:
    """Whether a mute of the group is over and no digest has said so yet."""
    return group.muted_since is not None and not is_muted(group, at)


def begin(group: Group, until: datetime | None, above: int | None, now: datetime) -> Group:
    """Return the muted group. At least one of `until` and `above` (occurrences an hour) is given.

    A mute that is active, or that no digest has reported yet, goes on with the new limits.
    """
    since = group.muted_since or now
    return replace(group, muted_since=since, muted_until=until, mute_above=above, mute_exceeded=False)


def end(group: Group, now: datetime) -> Group:
    """Return the group after an administrator ended the mute. If it muted nothing, there is nothing to say of it."""
    if not group.muted_mails:
        return forget(group)
    return replace(group, muted_until=now, mute_above=None, mute_exceeded=False) if is_muted(group, now) else group


def forget(group: Group) -> Group:
    """Return the group without its mute, after a digest has said that it is over."""
    return replace(
        group,
        muted_since=None,
        muted_until=None,
        mute_above=None,
        mute_exceeded=False,
        muted_mails=0,
        muted_occurrences=0,
    )


def end_if_exceeded(group: Group, arrival: Arrival, last_hour: int) -> Group:
    """Return the group, its mute ended if `arrival` makes the error exceed `mute_above` in one hour.

    `last_hour` is the number of occurrences in the hour before the end of the arrival, without the arrival. Only
    occurrences since the mute began count.
    """
    if group.mute_above is None or not is_muted(group, arrival.last):
        return group
    recent = arrival.occurrences
    if arrival.minutes:
        recent = sum(count for minute, count in arrival.minutes.items() if minute > arrival.last - HOUR)
    if min(group.muted_occurrences, last_hour) + recent <= group.mute_above:
        return group
    return replace(group, muted_until=arrival.last, mute_exceeded=True)


def count(group: Group, arrival: Arrival) -> Group:
    """Return the group with the arrival counted as muted, and as a part of the episode."""
    return replace(
        group,
        muted_since=group.muted_since or arrival.first,  # a mute of an earlier release has no beginning
        muted_mails=group.muted_mails + arrival.mails,
        muted_occurrences=group.muted_occurrences + arrival.occurrences,
        episode_since=min(group.episode_since or arrival.first, arrival.first),
        episode_occurrences=group.episode_occurrences + arrival.occurrences,
        episode_muted=group.episode_muted + arrival.occurrences,
    )
