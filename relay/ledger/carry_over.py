"""Carry groups over to the keys of a new fingerprint version (ingest → ledger).

Guarantee: a carried-over group keeps its id, counts, samples and messages; only its key, version and title change. Its
former key is stored as long as the group exists. An error that had the same former key is recognised as a part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, select, union, update

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.engine import Database
from relay.ledger.results import GroupClaim
from relay.ledger.rows import GROUP_COLUMNS, chunks, group_of, key_of
from relay.ledger.schema import former_keys, groups
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

    def carry_over(self, claims: Mapping[GroupKey, GroupClaim]) -> dict[GroupKey, Group]:
        """Carry a group over to each key that has none: the oldest group with one of the claim's former keys.

        A group that has the key already only gets the claim's version. If no group has a former key, but one was
        carried over from it, that group is returned and nothing changes. All claims are handled in their order, in one
        transaction.
        """
        parents: dict[GroupKey, Group] = {}
        with self._write(WriteMode.EXCLUSIVE) as connection:
            for key, claim in claims.items():
                if not _carried(connection, key, claim) and (parent := _heir(connection, claim)):
                    parents[key] = parent
        return parents


def _carried(connection: Connection, key: GroupKey, claim: GroupClaim) -> bool:
    """Return whether a group has the key now; carry one over to it if possible."""
    own, former = key_of(key), _binary(claim)
    query = select(groups.c.id, groups.c.key, groups.c.version).where(groups.c.key.in_([own, *former]))
    found = {bytes(row.key): row for row in connection.execute(query)}
    chosen = found.get(own) or min(found.values(), key=lambda row: row.id, default=None)
    if chosen is None:
        return False
    values: dict[str, object] = {"version": claim.fingerprint.version}
    if own not in found:
        values |= {"key": own, "fingerprint": claim.fingerprint.key, "title": claim.fingerprint.title}
        known_as = {"key": bytes(chosen.key), "version": chosen.version, "group_id": chosen.id}
        connection.execute(insert_missing(connection, former_keys), known_as)
    connection.execute(update(groups).where(groups.c.id == chosen.id).values(**values))
    return True


def _heir(connection: Connection, claim: GroupClaim) -> Group | None:
    """Return the group that was carried over from one of the claim's former keys; the oldest of several."""
    query = select(*GROUP_COLUMNS).join(former_keys).where(former_keys.c.key.in_(_binary(claim)))
    row = connection.execute(query.order_by(groups.c.id).limit(1)).first()
    return group_of(row) if row else None


def _binary(claim: GroupClaim) -> Sequence[bytes]:
    return [key_of(key) for key in claim.former]
