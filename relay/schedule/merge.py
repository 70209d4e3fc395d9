"""Merge errors into one, count the mails of its parts, and take parts out again (commands, ingest → schedule; pure).

    joint     the face of two errors that become one: one life cycle, one mute, the counts of both
    join      all members of that error
    count     a part's share of mails that arrived at the face (after `group.arrive` on the face)
    absorb    what a worker of an earlier release has counted on a part itself
    leave     parts (each with what was merged into it) become errors of their own again

Every function takes and returns members (`model.Member`). The counts of the face are those of the whole error. Each
part has its share of them, so that it can leave with exactly that.

Guarantee: no function changes the sum of mails, occurrences, pending and muted mails over the errors that it returns
(the faces). A part has nothing pending and no `due_at`, so it is never reported, and the books count each mail once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from relay.model import Arrival, Group, Member, MergedBy, Phase, Share, Timing
from relay.schedule.group import reschedule
from relay.schedule.mutes import forget, is_muted
from relay.schedule.shares import COUNTS, added, current, earlier, remarked, rest_of_face, share_of, with_current_shares

_PHASES = (Phase.ENDED, Phase.FRESH, Phase.OPEN)
"""The phase of a merged error is the last of these that one of the two has: what was reported once is not new."""


def face_of(members: Iterable[Member]) -> Member:
    """Return the member whose life cycle is that of the error."""
    return next(each for each in members if each.is_face)


# --- Join -------------------------------------------------------------------------------------------------------------


def joint(face: Group, part: Group, timing: Timing, now: datetime) -> Group:
    """Return the face of the error that two errors (their faces) become: `face` with the life cycle of both.

    The mute of `face` holds for all. A mute of `part` that is active ends now, and the next digest says so.
    """
    both = reschedule(_joint(face, _unmuted(part, now)), timing)
    return replace(both, merged_into=face.id)


def shares_stay(face: Group, both: Group, part: Group) -> bool:
    """Whether the shares of the parts that `face` has stay as they are when it becomes `both`.

    Then `join` does not need these parts. An error can have very many of them.
    """
    same = (face.reported_at, face.muted_since) == (both.reported_at, both.muted_since)
    return same and _episodes_kept(face, part)[0]


def join(
    one: Sequence[Member], other: Sequence[Member], both: Group, by: MergedBy, *, into: int | None = None
) -> list[Member]:
    """Return the members of the error `both` (see `joint`) that two errors become; the face of `one` is its face.

    `one` may lack its parts if their shares stay (`shares_stay`); they are then not in the result. `into` is the part
    with which the other error leaves; None: it leaves alone.
    """
    face, part = face_of(one), face_of(other)
    left, right = _episodes_kept(face.group, part.group)
    own = remarked(rest_of_face(part, other), both)
    own = own if right else replace(own, episode_occurrences=0, episode_muted=0)
    return [
        replace(face, group=both, share=share_of(face)),
        *(_moved(each, face.group, both, keep=left) for each in one if not each.is_face),
        *(_moved(each, part.group, both, keep=right) for each in other if not each.is_face),
        replace(part, group=_dormant(part.group, own, both.id), share=own, into=into or both.id, by=by),
    ]


def _joint(face: Group, part: Group) -> Group:
    """Return the face with the life cycle of both groups."""
    lead = max(face, part, key=_stage)
    pending = [group for group in (face, part) if group.pending_occurrences]
    leveled = pending or [max(face, part, key=lambda group: group.last_seen)]
    kept = [group for group, keep in zip((face, part), _episodes_kept(face, part), strict=True) if keep]
    both = replace(
        face,
        level=max(group.level for group in leveled),
        first_seen=min(face.first_seen, part.first_seen),
        last_seen=max(face.last_seen, part.last_seen),
        mails=face.mails + part.mails,
        occurrences=face.occurrences + part.occurrences,
        phase=lead.phase,
        step=lead.step,
        reported_at=lead.reported_at,
        reported_rate=sum(group.reported_rate for group in kept),
        seen_before=lead.seen_before,
        again=lead.again,
        pending_mails=face.pending_mails + part.pending_mails,
        pending_occurrences=face.pending_occurrences + part.pending_occurrences,
        pending_since=earlier(face.pending_since, part.pending_since),
        episode_since=min((group.episode_since for group in kept if group.episode_since), default=None),
        episode_occurrences=sum(group.episode_occurrences for group in kept),
        episode_muted=sum(group.episode_muted for group in kept),
    )
    return _with_mute(_with_minute(both, part), part)


def _stage(group: Group) -> tuple[int, bool, datetime]:
    """How far an error is in its life cycle: the one that is further decides what the next report is."""
    return _PHASES.index(group.phase), group.reported_at is not None, group.reported_at or group.first_seen


def _episodes_kept(face: Group, part: Group) -> tuple[bool, bool]:
    """Return whose episode is part of the joint one: those that go on; the later one if both have ended."""
    if face.phase is Phase.ENDED and part.phase is Phase.ENDED:
        return face.last_seen >= part.last_seen, part.last_seen > face.last_seen
    return face.phase is not Phase.ENDED, part.phase is not Phase.ENDED


def _with_minute(both: Group, part: Group) -> Group:
    """Return the joint error with the later running minute; a minute that both have counts in full."""
    if part.minute is None or (both.minute and both.minute > part.minute):
        return replace(both, peak=max(both.peak, part.peak))
    running = part.minute_occurrences + (both.minute_occurrences if both.minute == part.minute else 0)
    return replace(both, minute=part.minute, minute_occurrences=running, peak=max(both.peak, part.peak, running))


def _unmuted(part: Group, now: datetime) -> Group:
    """Return the part with its mute ended: the mute of the face holds from now on."""
    return replace(part, muted_until=now, mute_above=None, mute_exceeded=False) if is_muted(part, now) else part


def _with_mute(both: Group, part: Group) -> Group:
    """Add what came during the part's mute. If the face has no mute, the part's one, which is over, is reported."""
    if part.muted_since is None or not (part.muted_mails or part.muted_occurrences):
        return both
    if both.muted_since is None:
        both = replace(
            both, muted_since=part.muted_since, muted_until=part.muted_until,
            mute_above=part.mute_above, mute_exceeded=part.mute_exceeded,
        )  # fmt: skip
    return replace(
        both,
        muted_mails=both.muted_mails + part.muted_mails,
        muted_occurrences=both.muted_occurrences + part.muted_occurrences,
    )


def _moved(member: Member, before: Group, both: Group, *, keep: bool) -> Member:
    """Return a part of one of the two errors as a part of the joint one."""
    share = remarked(current(share_of(member), before), both)
    share = share if keep else replace(share, episode_occurrences=0, episode_muted=0)
    return replace(member, share=share, group=replace(member.group, merged_into=both.id))


def _dormant(group: Group, own: Share, face: int) -> Group:
    """Return the row of a part: what it alone has counted, and nothing to report."""
    return replace(
        forget(group),
        merged_into=face,
        first_seen=own.first_seen,
        last_seen=own.last_seen,
        mails=own.mails,
        occurrences=own.occurrences,
        phase=Phase.ENDED,
        reported_at=group.reported_at or own.last_seen,
        pending_mails=0,
        pending_occurrences=0,
        pending_since=None,
        due_at=None,
    )


# --- Count ------------------------------------------------------------------------------------------------------------


def count(member: Member, before: Group, after: Group, arrival: Arrival) -> Member:
    """Return the member with its share of what arrived at the face. `arrival` holds its own mails alone.

    `before` and `after` are the face before and after the whole arrival (`group.arrive`).
    """
    group, share = member.group, share_of(member)
    seen = replace(share, first_seen=min(share.first_seen, arrival.first), last_seen=max(share.last_seen, arrival.last))
    if member.is_face:
        return replace(member, group=after, share=seen)
    kept = current(share, before)
    if after.episode_since and share.last_seen < after.episode_since:
        kept = replace(kept, episode_occurrences=0, episode_muted=0)
    kept = replace(remarked(kept, after), first_seen=seen.first_seen, last_seen=seen.last_seen)
    own = replace(
        group,
        level=arrival.level,
        first_seen=min(group.first_seen, arrival.first),
        last_seen=max(group.last_seen, arrival.last),
        mails=group.mails + arrival.mails,
        occurrences=group.occurrences + arrival.occurrences,
    )
    pending = after.pending_occurrences > before.pending_occurrences
    return replace(member, group=own, share=added(kept, arrival, pending=pending))


def absorb(face: Group, part: Member, timing: Timing) -> tuple[Group, Member]:
    """Move what was counted on the part itself to the face: a worker of an earlier release knows no merges."""
    group, share = part.group, current(share_of(part), face)
    mails, occurrences = group.mails - share.mails, group.occurrences - share.occurrences
    if not (mails or occurrences or group.pending_occurrences):
        return face, part
    share = replace(
        share,
        last_seen=max(share.last_seen, group.last_seen),
        mails=group.mails,
        occurrences=group.occurrences,
        pending_mails=share.pending_mails + group.pending_mails,
        pending_occurrences=share.pending_occurrences + group.pending_occurrences,
        pending_since=earlier(share.pending_since, group.pending_since),
        episode_occurrences=share.episode_occurrences + group.pending_occurrences,
    )
    grown = replace(
        face,
        level=max(face.level, group.level) if group.pending_occurrences else face.level,
        last_seen=max(face.last_seen, group.last_seen),
        mails=face.mails + mails,
        occurrences=face.occurrences + occurrences,
        pending_mails=face.pending_mails + group.pending_mails,
        pending_occurrences=face.pending_occurrences + group.pending_occurrences,
        pending_since=earlier(face.pending_since, group.pending_since),
        episode_occurrences=face.episode_occurrences + group.pending_occurrences,
    )
    return reschedule(grown, timing), replace(part, share=share, group=_dormant(group, share, face.id))


# --- Leave ------------------------------------------------------------------------------------------------------------


def leave(members: Sequence[Member], parts: Collection[int], timing: Timing, now: datetime) -> list[Member]:
    """Return all members of an error after these parts, each with all that was merged into it, have left.

    `members` are all members of the error. Each part becomes the face of its own error, in the same state of its life
    cycle: it is not news, and a mute holds for both errors. Raises ValueError if one of `parts` is the face or no
    member.
    """
    face = face_of(members).group
    by_id = {each.group.id: each for each in members}
    if face.id in parts or not by_id.keys() >= set(parts):
        raise ValueError(f"not all of {sorted(parts)} are parts of the error {face.id}")
    errors: dict[int, list[Member]] = {number: [] for number in (face.id, *parts)}
    for each in with_current_shares(members, face):
        errors[_owner(each, by_id, parts, face.id)].append(each)
    gone = [each for number in parts for each in errors[number]]
    after = _settled(_without(face, gone, errors[face.id], timing, now), errors[face.id])
    for number in parts:
        alone = _alone(face, by_id[number], errors[number], timing, now)
        after += _settled(alone, errors[number])
    return after


def _owner(member: Member, by_id: Mapping[int, Member], parts: Collection[int], face: int) -> int:
    """Return the id of the leaving part that this member was merged into, or of the face if it stays."""
    number = member.group.id
    while number not in parts and number != face:
        into = by_id[number].into
        number = into if into is not None and into in by_id else face  # the row in between is purged
    return number


def _sums(members: Iterable[Member]) -> dict[str, Any]:
    shares = [share_of(each) for each in members]
    return {name: sum(getattr(share, name) for share in shares) for name in COUNTS}


def _alone(face: Group, part: Member, members: Sequence[Member], timing: Timing, now: datetime) -> Member:
    """Return the part as the face of its own error: the counts of these members, and the state of the old face."""
    counts, row, shares = _sums(members), part.group, [share_of(each) for each in members]
    pending_since = min((share.pending_since for share in shares if share.pending_since), default=face.pending_since)
    alone = replace(
        face,
        **{name: getattr(row, name) for name in ("id", "route", "app", "fingerprint", "version", "title", "level")},
        **counts,
        first_seen=min(share.first_seen for share in shares),
        last_seen=max(share.last_seen for share in shares),
        pending_since=pending_since if counts["pending_occurrences"] else None,
        peak=min(face.peak, counts["episode_occurrences"]),
        minute_occurrences=0,
    )
    return replace(part, group=_quiet(alone, timing, now), into=None, by=None)


def _without(face: Group, gone: Iterable[Member], staying: Sequence[Member], timing: Timing, now: datetime) -> Member:
    """Return the face after the members in `gone` have left."""
    counts: dict[str, Any] = {name: max(0, getattr(face, name) - number) for name, number in _sums(gone).items()}
    after = replace(
        face,
        **counts,
        first_seen=min(share_of(each).first_seen for each in staying),
        last_seen=max(share_of(each).last_seen for each in staying),
        pending_since=face.pending_since if counts["pending_occurrences"] else None,
        peak=min(face.peak, counts["episode_occurrences"]),
        minute_occurrences=0,
    )
    return replace(face_of(staying), group=_quiet(after, timing, now))


def _quiet(group: Group, timing: Timing, now: datetime) -> Group:
    """Return the group with nothing left to report that it has no part in."""
    if group.phase is Phase.FRESH and not group.pending_occurrences and group.reported_at is not None:
        group = replace(group, phase=Phase.ENDED)
    if not group.muted_mails and not is_muted(group, now):
        group = forget(group)
    return reschedule(group, timing)


def _settled(face: Member, members: Iterable[Member]) -> list[Member]:
    """Return the members of an error with this face. A face without parts is no longer merged."""
    number = face.group.id
    parts = [
        replace(each, group=replace(each.group, merged_into=number)) for each in members if each.group.id != number
    ]
    if parts:
        return [replace(face, group=replace(face.group, merged_into=number)), *parts]
    title = face.title_before or face.group.title
    return [Member(group=replace(face.group, merged_into=None, title=title))]
