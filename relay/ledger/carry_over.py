"""Carries groups over to the keys of a new version of the fingerprint (succession → ledger).

Guarantee: a group that is carried over stays what it is, with its number, counts, samples and letters; only its key,
version and title change. Under which key it was known before is remembered as long as the group is, so that what else
was known under that key is recognised as a part of it.
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
    """The ledger's part for `succession`."""

    def versions(self) -> set[int]:
        """Every version of the fingerprint under which a group is or was known."""
        with self._read() as connection:
            return set(connection.scalars(union(select(groups.c.version), select(former_keys.c.version))))

    def versions_of(self, keys: Collection[GroupKey]) -> dict[GroupKey, int]:
        """The version of each group there is under one of these keys."""
        binary = {key_of(key): key for key in keys}
        found: dict[GroupKey, int] = {}
        with self._read() as connection:
            for chunk in chunks(binary):
                rows = connection.execute(select(groups.c.key, groups.c.version).where(groups.c.key.in_(chunk)))
                found.update((binary[bytes(key)], version) for key, version in rows)
        return found

    def carry_over(self, claims: Mapping[GroupKey, GroupClaim]) -> dict[GroupKey, Group]:
        """Give each key a group if there is none under it: the oldest of those under the claim's former keys.

        A group that is under the key already is only marked with the claim's version. Where the former keys have no
        group any more, but one was carried over from them, that one is returned and nothing is changed. All of it is
        one transaction, the claims in their order.
        """
        parents: dict[GroupKey, Group] = {}
        with self._write(WriteMode.EXCLUSIVE) as connection:
            for key, claim in claims.items():
                if not _carried(connection, key, claim) and (parent := _heir(connection, claim)):
                    parents[key] = parent
        return parents


def _carried(connection: Connection, key: GroupKey, claim: GroupClaim) -> bool:
    """Whether there is a group under the key now."""
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
    """The group that was carried over from one of the claim's former keys, the oldest of several."""
    query = select(*GROUP_COLUMNS).join(former_keys).where(former_keys.c.key.in_(_binary(claim)))
    row = connection.execute(query.order_by(groups.c.id).limit(1)).first()
    return group_of(row) if row else None


def _binary(claim: GroupClaim) -> Sequence[bytes]:
    return [key_of(key) for key in claim.former]
