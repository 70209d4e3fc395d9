"""Carry groups over to the keys of a new fingerprint version (ingest → ledger).

Guarantee: a carried-over group keeps its id, counts, samples and messages; only its key (with route and app), version
and title change. Its former key is stored as long as the group exists. An error that had the same former key is
recognised as a part of it. While workers with an earlier version share the ledger, a stub takes the group's place under
the former key, in the same transaction (see `stubs`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, and_, insert, or_, select, union, update

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.engine import Database
from relay.ledger.results import GroupClaim
from relay.ledger.rows import GROUP_COLUMNS, chunks, group_of, group_values, key_of
from relay.ledger.schema import IS_MERGED, former_keys, groups, spools
from relay.ledger.steering_schema import members
from relay.ledger.stubs import stub_of
from relay.ledger.upsert import insert_missing
from relay.model import Group, GroupKey


class CarryingOver(Database):
    """The part of the ledger for `ingest.carry_over`."""

    def versions(self) -> set[int]:
        """Return every fingerprint version under which a group is or was known."""
        with self._read() as connection:
            return set(connection.scalars(union(select(groups.c.version), select(former_keys.c.version))))

    def versions_of(self, keys: Collection[GroupKey]) -> dict[GroupKey, int]:
        """Return the version of each group that has one of these keys."""
        binary = {key_of(key): key for key in keys}
        found: dict[GroupKey, int] = {}
        with self._read() as connection:
            for chunk in chunks(binary):
                rows = connection.execute(select(groups.c.key, groups.c.version).where(groups.c.key.in_(chunk)))
                found.update((binary[bytes(key)], version) for key, version in rows)
        return found

    def older_spools(self, version: int, *, except_of: str) -> dict[str, int]:
        """Return the cursors of the spools whose worker has an earlier version; without that of `except_of`."""
        older = and_(spools.c.fingerprint_version < version, spools.c.spool_id != except_of)
        with self._read() as connection:
            rows = connection.execute(select(spools.c.spool_id, spools.c.position).where(older)).all()
        return {row.spool_id: row.position for row in rows}

    def carry_over(self, claims: Mapping[GroupKey, GroupClaim], *, stubs: bool = False) -> dict[GroupKey, Group]:
        """Carry a group over to each key that has none: the oldest group with one of the claim's former keys.

        With `stubs`, each group that is carried over leaves a stub under its former key.

        A group that has the key already only gets the claim's version. A group of a merged error is not carried over
        to another route: all groups of an error have one route. If no group can be carried over, the one that has, or
        had, a former key is returned, and nothing changes. All claims are handled in their order, in one transaction.
        """
        parents: dict[GroupKey, Group] = {}
        with self._write(WriteMode.EXCLUSIVE) as connection:
            for key, claim in claims.items():
                if not _carried(connection, key, claim, stubs=stubs) and (parent := _parent(connection, claim)):
                    parents[key] = parent
        return parents


def _carried(connection: Connection, key: GroupKey, claim: GroupClaim, *, stubs: bool) -> bool:
    """Return whether a group has the key now; carry one over to it if possible. A stub is not carried over."""
    own, former = key_of(key), _binary(claim)
    counted = or_(groups.c.key == own, groups.c.occurrences > 0)
    query = select(groups.c.key, *GROUP_COLUMNS).where(groups.c.key.in_([own, *former]), counted)
    found = {bytes(row[0]): group_of(row[1:]) for row in connection.execute(query)}
    found = {each: group for each, group in found.items() if group.merged_into is None or group.route == key[0]}
    chosen = found.get(own) or min(found.values(), key=lambda group: group.id, default=None)
    if chosen is None:
        return False
    values: dict[str, object] = {"version": claim.fingerprint.version}
    if own not in found:
        route, app, fingerprint = key
        values |= {"key": own, "route": route, "app": app, "fingerprint": fingerprint}
        if not _keep_name(connection, chosen.id, claim.fingerprint.title):
            values["title"] = claim.fingerprint.title
    connection.execute(update(groups).where(groups.c.id == chosen.id).values(**values))
    if own not in found:
        _remember(connection, next(each for each, group in found.items() if group is chosen), chosen, stubs=stubs)
    return True


def _keep_name(connection: Connection, group_id: int, title: str) -> bool:
    """Whether the group's title is a name that an administrator gave; then store `title` for when the name is over."""
    named = update(members).where(members.c.group_id == group_id, members.c.title_before != "")
    return connection.execute(named.values(title_before=title)).rowcount > 0


def _remember(connection: Connection, former: bytes, group: Group, *, stubs: bool) -> None:
    """Store the former key of a group that has another one now, and a stub under it if asked for."""
    known_as = {"key": former, "version": group.version, "group_id": group.id}
    connection.execute(insert_missing(connection, former_keys), known_as)
    if stubs:
        stub = group_values(stub_of(group, (group.route, group.app, group.fingerprint), group.version))
        del stub["id"]
        connection.execute(insert(groups), stub | {"key": former})


def _parent(connection: Connection, claim: GroupClaim) -> Group | None:
    """Return the oldest group that was carried over from one of the claim's former keys, else one that still has it."""
    former = _binary(claim)
    carried = select(*GROUP_COLUMNS).join(former_keys).where(former_keys.c.key.in_(former))
    merged = select(*GROUP_COLUMNS).where(groups.c.key.in_(former), IS_MERGED)
    for query in (carried, merged):
        if row := connection.execute(query.order_by(groups.c.id).limit(1)).first():
            return group_of(row)
    return None


def _binary(claim: GroupClaim) -> Sequence[bytes]:
    return [key_of(key) for key in claim.former]
