"""Merge two errors into one, and take parts out again, within a transaction of the ledger (commands, ingest → ledger).

`schedule.merge` decides what becomes of the counts; `ledger.members` reads and writes them. The caller's transaction
excludes all other writers: `Ledger.steering()`, or `Ledger.ingesting(…, alone=True)` for merges that are learned.

Apps and routes: errors of different apps can be merged, and are shown under the app of the face. Errors of different
routes cannot: the people of one route would no longer hear of their error.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from relay.errors import CannotMerge
from relay.ledger import MemberRows
from relay.model import Group, MergedBy, Timing
from relay.schedule.merge import join, joint, leave, shares_stay


def join_groups(
    rows: MemberRows, face: int, part: int, by: MergedBy, timing: Timing, *, now: datetime, into: int | None = None
) -> Group | None:
    """Merge the error that `part` belongs to into the error that `face` belongs to; return the face after it.

    `timing` is that of their route. `into` is the part of the face's error that the other one is to leave with; None:
    it leaves alone. Returns None if they are one error already. Raises CannotMerge for an unknown group, and for
    errors of different routes.
    """
    one, other = rows.face(face), rows.face(part)
    if one is None or other is None:
        raise CannotMerge(f"there is no error {face if one is None else part}")
    if one.group.id == other.group.id:
        return None
    if one.group.route != other.group.route:
        raise CannotMerge(
            f"error {face} is reported on the route {one.group.route!r} and error {part} on {other.group.route!r}: "
            "errors of different routes cannot be merged, since they go to different people"
        )
    both = joint(one.group, other.group, timing, now)
    stay = shares_stay(one.group, both, other.group)
    ones = [one] if stay else rows.members(one.group.id)
    rows.save(join(ones, rows.members(other.group.id), both, by, into=into))
    return both


def separate(rows: MemberRows, face: int, parts: Collection[int], timing: Timing, *, now: datetime) -> list[Group]:
    """Take parts out of the error with this face; return the faces of all errors after it, the old one first.

    Raises ValueError if one of `parts` is no part of it.
    """
    after = leave(rows.members(face), parts, timing, now)
    rows.save(after)
    faces = [each.group for each in after if each.is_face]
    return sorted(faces, key=lambda group: group.id != face)
