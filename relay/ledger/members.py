"""Read and write the groups of merged errors (base layer of the ledger, for `ingest`, `digest` and `steering`).

How merges are stored. Each fingerprint keeps its own row in `groups`, with its key, its samples and its counts over
time. `merged_into` names the row whose life cycle counts, the *face*. A row in `members` says into which group it was
merged, by whom and why, and holds its share of the face's counts (`model.Share`).

    A (face)   mails 17, pending 5        merged_into A      the counts of the whole error
    B          mails  4, pending 0        merged_into A      share: 4 mails, 2 of the pending ones

Reasons. A mail of B still finds its row by its key, so a merge holds for all workers, after a restart, and for the row
that a new fingerprint version carries over. The books add up the pending mails of all rows; B has none, so each mail
counts once. Nothing of B's past moves, so B can leave with exactly its share. Workers of earlier releases see B as an
error that has ended: they count a mail on B's row, where `schedule.merge.absorb` finds it.

Merges are a tree: `into_id` stays as it was when another error takes in the face, so that the parts leave together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, select

from relay.ledger.rows import GROUP_COLUMNS, chunks, group_of, save_groups
from relay.ledger.schema import IS_MERGED, IS_PENDING, groups
from relay.ledger.steering_schema import kept_apart, members
from relay.ledger.upsert import insert_missing, replace
from relay.model import Group, Member, MergedBy, Share

_SHARE = tuple(field.name for field in fields(Share))
_MEMBER_COLUMNS = (
    members.c.group_id,
    members.c.into_id,
    members.c.author,
    members.c.reason,
    members.c.at,
    members.c.title_before,
    *(members.c[name].label(f"share_{name}") for name in _SHARE),
)
_MEMBERS = select(*GROUP_COLUMNS, *_MEMBER_COLUMNS).select_from(groups).outerjoin(members)
_STRAYS = and_(IS_MERGED, groups.c.merged_into != groups.c.id, IS_PENDING)


class MemberRows:
    """The members of merged errors, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def member(self, group_id: int) -> Member | None:
        """Return one group as a member; None if there is none with that id."""
        return next(self._found(_MEMBERS.where(groups.c.id == group_id)), None)

    def face(self, group_id: int) -> Member | None:
        """Return the face of the error that a group belongs to (itself if it is not merged)."""
        found = self.member(group_id)
        if found is None or found.is_face or found.group.merged_into is None:
            return found
        return self.member(found.group.merged_into) or found

    def members(self, face: int) -> list[Member]:
        """Return all members of the error with this face, the face first, then by id."""
        query = _MEMBERS.where(groups.c.merged_into == face).order_by(groups.c.id)
        found = list(self._found(query)) or [each for each in [self.member(face)] if each]
        return sorted(found, key=lambda each: not each.is_face)

    def some(self, group_ids: Iterable[int]) -> dict[int, Member]:
        """Return these groups as members, by id; omit unknown ids."""
        found: dict[int, Member] = {}
        for chunk in chunks(sorted(group_ids)):
            found |= {each.group.id: each for each in self._found(_MEMBERS.where(groups.c.id.in_(chunk)))}
        return found

    def strays(self, limit: int) -> list[Member]:
        """Return parts on whose own row a worker of an earlier release has counted mails that are pending."""
        found = self._connection.scalars(select(groups.c.id).where(_STRAYS).limit(limit)).all()
        return list(self.some(found).values()) if found else []

    def save(self, changed: Collection[Member]) -> None:
        """Write the groups and the shares of these members."""
        save_groups(self._connection, (each.group for each in changed))
        for chunk in chunks(each.group.id for each in changed if each.share is None):
            self._connection.execute(delete(members).where(members.c.group_id.in_(chunk)))
        rows = [_row_of(each) for each in changed if each.share is not None]
        if rows:
            self._connection.execute(replace(self._connection, members), rows)

    def keep_apart(self, group_ids: Collection[int]) -> None:
        """Never merge these groups by learning again. Only an administrator can."""
        if group_ids:
            rows = [{"group_id": number} for number in sorted(group_ids)]
            self._connection.execute(insert_missing(self._connection, kept_apart), rows)

    def let_merge(self, group_ids: Collection[int]) -> None:
        """Forget `keep_apart` for these groups: an administrator merged them."""
        for chunk in chunks(group_ids):
            self._connection.execute(delete(kept_apart).where(kept_apart.c.group_id.in_(chunk)))

    def _found(self, query: Select[Any]) -> Iterator[Member]:
        return map(_member_of, self._connection.execute(query))


def faces_by_part(connection: Connection, faces: Collection[int]) -> dict[int, int]:
    """Return the parts of these errors (ids of faces), each with its face."""
    found: dict[int, int] = {}
    for chunk in chunks(faces):
        query = select(groups.c.id, groups.c.merged_into).where(IS_MERGED, groups.c.merged_into.in_(chunk))
        found.update((number, face) for number, face in connection.execute(query) if number != face)
    return found


def _member_of(row: Row[Any]) -> Member:
    group = group_of(row[: len(GROUP_COLUMNS)])
    if row.group_id is None or group.merged_into is None:
        return Member(group=group, share=None if group.is_face else _whole(group))
    by = None
    if row.into_id is not None and row.at is not None:
        by = MergedBy(author=row.author, reason=row.reason, at=row.at)
    share = Share(**{name: getattr(row, f"share_{name}") for name in _SHARE})
    return Member(group=group, share=share, into=row.into_id, by=by, title_before=row.title_before)


def _whole(group: Group) -> Share:
    """Return the share of a part whose row in `members` is lost (a repaired ledger): all that it has counted."""
    return Share(
        first_seen=group.first_seen, last_seen=group.last_seen, mails=group.mails, occurrences=group.occurrences
    )


def _row_of(member: Member) -> dict[str, Any]:
    by, share = member.by, member.share
    row: dict[str, Any] = {"group_id": member.group.id, "into_id": member.into, "title_before": member.title_before}
    row |= {"author": by.author if by else "", "reason": by.reason if by else "", "at": by.at if by else None}
    return row | {name: getattr(share, name) for name in _SHARE}
