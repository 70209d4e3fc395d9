"""What is known of the messages of each place, from which free words are learned (ingest → ledger).

Guarantee: with any number of workers, what is learned depends on the order in which their batches are committed and on
nothing else. A batch locks the places of its mails before it reads them, in the order of their ids, and before it locks
groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from relay.ledger.engine import Database
from relay.ledger.rows import chunks, key_of
from relay.ledger.schema import groups, learned_places
from relay.ledger.steering_schema import kept_apart
from relay.ledger.upsert import insert_missing, replace
from relay.model import GroupKey


class LearnedPlaces:
    """The places, in the transaction of a batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, places: Collection[bytes], now: datetime) -> dict[bytes, str]:
        """Return the state of each place, locked until the transaction ends; "" for a new one."""
        if not places:
            return {}
        if self._connection.dialect.name != "sqlite":  # which has one writer
            rows = [{"place": place, "state": "", "pinned": False, "at": now} for place in sorted(places)]
            self._connection.execute(insert_missing(self._connection, learned_places), rows)
        found: dict[bytes, str] = {}
        for chunk in chunks(sorted(places)):
            query = select(learned_places.c.place, learned_places.c.state).where(learned_places.c.place.in_(chunk))
            rows_of_chunk = self._connection.execute(query.order_by(learned_places.c.place).with_for_update())
            found.update((bytes(place), state) for place, state in rows_of_chunk)
        return found

    def save(self, states: Mapping[bytes, tuple[str, bool]], now: datetime) -> None:
        """Write the state of places that this transaction has locked, and whether each is pinned."""
        rows = [
            {"place": place, "state": state, "pinned": pinned, "at": now}
            for place, (state, pinned) in sorted(states.items())
        ]
        if rows:
            self._connection.execute(replace(self._connection, learned_places), rows)

    def ids_of(self, keys: Collection[GroupKey]) -> dict[GroupKey, int]:
        """Return the ids of the groups with these keys."""
        binary = {key_of(key): key for key in keys}
        found: dict[GroupKey, int] = {}
        for chunk in chunks(binary):
            rows = self._connection.execute(select(groups.c.key, groups.c.id).where(groups.c.key.in_(chunk)))
            found.update((binary[bytes(key)], number) for key, number in rows)
        return found

    def keeps_any_apart(self) -> bool:
        """Return whether an administrator keeps any groups apart."""
        return self._connection.scalar(select(kept_apart.c.group_id).limit(1)) is not None

    def kept_apart(self, keys: Collection[GroupKey]) -> set[GroupKey]:
        """Return those of the keys whose groups an administrator keeps apart from what is learned."""
        binary = {key_of(key): key for key in keys}
        found: set[GroupKey] = set()
        for chunk in chunks(binary):
            query = select(groups.c.key).join(kept_apart).where(groups.c.key.in_(chunk))
            found.update(binary[bytes(key)] for key in self._connection.scalars(query))
        return found


class Learning(Database):
    """The part of the ledger for `ingest.learning`."""

    @property
    def has_other_writers(self) -> bool:
        """Whether other transactions can write at the same time."""
        return self._backend.engine.dialect.name != "sqlite"

    def learned_places(self, places: Collection[bytes]) -> dict[bytes, str]:
        """Return the state of each place that is known. Another worker can change it at any time."""
        found: dict[bytes, str] = {}
        with self._read() as connection:
            for chunk in chunks(sorted(places)):
                query = select(learned_places.c.place, learned_places.c.state).where(learned_places.c.place.in_(chunk))
                found.update((bytes(place), state) for place, state in connection.execute(query))
        return found

    def occurrences_of(self, keys: Collection[GroupKey]) -> dict[GroupKey, int]:
        """Return the occurrences of each group that has one of these keys; -1 for the face of a merged error.

        The counts of a face are those of its parts too. They do not say how often its own message was seen.
        """
        binary = {key_of(key): key for key in keys}
        found: dict[GroupKey, int] = {}
        columns = (groups.c.key, groups.c.occurrences, groups.c.merged_into == groups.c.id)
        with self._read() as connection:
            for chunk in chunks(binary):
                for key, occurrences, face in connection.execute(select(*columns).where(groups.c.key.in_(chunk))):
                    found[binary[bytes(key)]] = -1 if face else occurrences
        return found
