"""Write one ingested batch of mails and the spool's cursor in one transaction (ingest → ledger).

Guarantee: a mail is counted exactly once, whatever is killed when. Its group, its counts, the books and the cursor of
its spool are written together or not at all. The cursor is compared before anything is written.

Two workers with different spools may have the same new error at the same time. `groups()` therefore reserves every
missing key with a placeholder row, in the order of the keys (INSERT … ON CONFLICT DO NOTHING waits for a transaction
that is inserting the same key). Only then it locks all rows, in that order too: the second worker reads what the first
one saved. A worker that waits for a key holds no row that another one could wait for, so there is no deadlock. No other
transaction sees a placeholder. It is deleted at the end unless `save` filled it.

The face of a merged error is locked with its parts. So `groups()` looks up which faces it needs before it locks
anything. If another worker merges one of the groups in between, LedgerBusy is raised, and the batch is ingested again.
Call the methods in this order, each once per transaction and for the whole batch:

    remember_records → groups → save, save_members → count, sample, book, quarantine → advance
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from relay.errors import CursorMismatch, LedgerBusy, LedgerError
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.bounces import note_bounce
from relay.ledger.engine import Database
from relay.ledger.learned import LearnedPlaces
from relay.ledger.members import MemberRows, faces_by_part
from relay.ledger.rows import GROUP_COLUMNS, chunks, group_of, group_values, key_of, save_groups
from relay.ledger.samples import keep_samples
from relay.ledger.schema import MINUTE, counts, groups, parked, records, spools
from relay.ledger.steering import record
from relay.ledger.stubs import refreshed, stub_of
from relay.ledger.upsert import insert_missing, upsert
from relay.model import AuditRecord, Group, GroupKey, Level, Member, Sample

_PLACEHOLDER = group_values(
    Group(
        route="",
        app="",
        fingerprint="",
        version=0,
        title="",
        level=Level.DEBUG,
        first_seen=datetime(1970, 1, 1, tzinfo=UTC),
        last_seen=datetime(1970, 1, 1, tzinfo=UTC),
    )
)
del _PLACEHOLDER["id"]


class IngestTransaction:
    """Write what one batch of one spool contains."""

    def __init__(self, connection: Connection, spool_id: str, position: int, version: int) -> None:
        self._connection = connection
        self._spool_id = spool_id
        self._position = position
        self._version = version
        self._placeholders: dict[bytes, int] = {}
        self._counts: Counter[tuple[int, datetime]] = Counter()
        self._samples: list[tuple[int, Sample]] = []
        self._asked: dict[bytes, GroupKey] = {}
        self._faces: dict[int, Group] = {}
        self.merges = MemberRows(connection)
        """The members of merged errors. Join errors only in a transaction that runs alone (`Ledger.ingesting`)."""
        self.learned = LearnedPlaces(connection)
        """What is known of the messages of each place. Lock places before `groups()`."""
        self._books: Counter[str] = Counter()

    def remember_records(self, ids: Collection[str], at: datetime) -> set[str]:
        """Store record ids seen at `at`. Returns the new ones: only their mails count.

        A known id means a repeated mail: the client missed the 250. One call both checks and stores, so that two
        workers with the same mail cannot both count it.
        Raises ValueError for an id that is not 32 hex digits.
        """
        binary = {_record_id(each): each for each in ids}
        if not binary:
            return set()
        statement = insert_missing(self._connection, records).returning(records.c.id)
        rows = self._connection.scalars(statement, [{"id": each, "at": at} for each in sorted(binary)])
        return {binary[bytes(each)] for each in rows}

    def bounced(self, recipient: str, reason: str, message: str, at: datetime) -> bool:
        """Note that a recipient did not get a message although the upstream had accepted it.

        `message` is the message's id, "" for the recipient's newest one. Returns False if there is no such delivery, or
        if it is known that it bounced. The books stay as they are: the upstream took the message.
        """
        return note_bounce(self._connection, recipient, reason, message, at)

    def groups(self, keys: Collection[GroupKey]) -> dict[GroupKey, Group]:
        """Return the groups with these keys, locked until the transaction ends; reserve the keys that have none.

        The texts of a group may differ from those of its key: characters that a database refuses were replaced.
        """
        binary = {key_of(key): key for key in keys}
        existing = self._existing(binary)
        merged = set(existing.values()) - {None}
        faces = self._keys_of(merged)
        self._asked |= faces | binary
        self._claim(sorted(binary.keys() - existing.keys()))
        locked = self._locked((binary.keys() | faces.keys()) - self._placeholders.keys())
        self._faces = {group.id: group for group in locked.values() if group.merged_into == group.id}
        return {binary[key]: self._merged(group, merged) for key, group in locked.items() if key in binary}

    def face_of(self, group: Group) -> Group:
        """Return the face of the error that a group of `groups()` belongs to: itself if it is not merged."""
        return group if group.merged_into is None else self._faces[group.merged_into]

    def members(self, found: Iterable[Group]) -> dict[int, Member]:
        """Return those of the groups that are merged, as members, by id. They are locked by `groups()`."""
        merged = {group.id for group in found if group.merged_into is not None}
        return self.merges.some(merged) if merged else {}

    def save_members(self, changed: Collection[Member]) -> None:
        """Write the rows and shares of parts and faces that are locked by `groups()`."""
        self.merges.save(changed)

    def save(self, groups: Iterable[Group]) -> dict[GroupKey, Group]:
        """Write groups whose keys were given to `groups()`, including new ones (id 0). Returns them by key, with ids.

        Raises LedgerError for a group whose key was not reserved.
        """
        saved: dict[GroupKey, Group] = {}
        for group in groups:
            key = key_of((group.route, group.app, group.fingerprint))
            number = group.id or self._placeholders.pop(key, 0)
            if key not in self._asked or not number:
                raise LedgerError("a group can be saved only after its key was asked for in the same transaction")
            saved[self._asked[key]] = group if group.id else replace(group, id=number)
        save_groups(self._connection, saved.values())
        return saved

    def save_stubs(self, former: Mapping[GroupKey, Group], found: Mapping[GroupKey, Group], version: int) -> None:
        """Let workers with fingerprint `version`, an earlier one, find these groups under their former keys.

        All former keys were given to `groups()`, and `found` is what it returned.
        """
        rows = {key: (found.get(key), group) for key, group in former.items()}
        after = [refreshed(row, group) if row else stub_of(group, key, version) for key, (row, group) in rows.items()]
        before = set(map(id, found.values()))
        self.save(group for group in after if id(group) not in before)

    def count(self, group_id: int, minutes: Mapping[datetime, int]) -> None:
        """Add occurrences to the group's counts per minute. Each key is rounded down to its minute."""
        for time, occurrences in minutes.items():
            self._counts[group_id, time.replace(second=0, microsecond=0)] += occurrences

    def occurrences_after(self, group_id: int, after: datetime) -> int:
        """Return the occurrences in the minutes of an error that begin after this time, without those of the batch.

        For the face of a merged error: those of all its parts too.
        """
        members = [group_id, *faces_by_part(self._connection, [group_id])]
        total = 0
        for chunk in chunks(members):
            here = (counts.c.group_id.in_(chunk), counts.c.resolution == MINUTE, counts.c.bucket > after)
            query = select(func.coalesce(func.sum(counts.c.occurrences), 0)).where(*here)
            total += int(self._connection.scalar(query) or 0)
        return total

    def sample(self, group_id: int, sample: Sample) -> None:
        """Store a sample. A group keeps its first and its newest SAMPLES_KEPT. One per group and batch is enough."""
        self._samples.append((group_id, sample))

    def book(self, *, received: int = 0, muted: int = 0, ignored: int = 0, parked: int = 0) -> None:
        """Add mails to the spool's books. A mail that is not muted, ignored or parked must be pending in a group."""
        self._books.update(received=received, muted=muted, ignored=ignored, parked=parked)

    def quarantine(self, position: int, *, at: datetime, reason: str, path: str = "") -> None:
        """List a quarantined mail. `path` is its file, "" while the mail stays in the spool.

        This does not book the mail; call `book(received=1, parked=1)` too.
        """
        row = {"spool_id": self._spool_id, "position": position, "at": at, "reason": reason, "path": path}
        self._connection.execute(insert(parked), row)

    def record(self, entry: AuditRecord, groups: Iterable[int]) -> int:
        """Add an entry about these groups to the audit log; return its id."""
        return record(self._connection, entry, groups)

    def advance(self, position: int) -> None:
        """Move the cursor to `position`, where the next batch begins. Raises ValueError if that is backwards."""
        if position < self._position:
            raise ValueError(f"the cursor cannot go back from {self._position} to {position}")
        self._position = position

    # --- Groups ---------------------------------------------------------------------------------------------------

    def _merged(self, group: Group, asked: Collection[int | None]) -> Group:
        """Return the group; one whose face is lost (a repaired ledger) is an error of its own again.

        `asked` are the faces that were looked up before the locks. Raises LedgerBusy for a part of another face.
        """
        if group.merged_into is None or group.merged_into in self._faces:
            return group
        if group.merged_into in asked:
            return replace(group, merged_into=None)
        raise LedgerBusy("an error of this batch was merged by another worker at this time; the batch is repeated")

    def _existing(self, keys: Collection[bytes]) -> dict[bytes, int | None]:
        """Return the keys that have a group, each with the id of its face if it is merged."""
        found: dict[bytes, int | None] = {}
        for chunk in chunks(keys):
            query = select(groups.c.key, groups.c.merged_into).where(groups.c.key.in_(chunk))
            found.update((bytes(key), face) for key, face in self._connection.execute(query))
        return found

    def _keys_of(self, group_ids: Collection[int | None]) -> dict[bytes, GroupKey]:
        found: dict[bytes, GroupKey] = {}
        columns = (groups.c.key, groups.c.route, groups.c.app, groups.c.fingerprint)
        for chunk in chunks(group_ids):
            rows = self._connection.execute(select(*columns).where(groups.c.id.in_(chunk)))
            found.update((bytes(key), (route, app, fingerprint)) for key, route, app, fingerprint in rows)
        return found

    def _locked(self, keys: Collection[bytes]) -> dict[bytes, Group]:
        found = {}
        for chunk in chunks(sorted(keys)):
            query = select(groups.c.key, *GROUP_COLUMNS).where(groups.c.key.in_(chunk))
            for key, *row in self._connection.execute(query.order_by(groups.c.key).with_for_update()):
                found[bytes(key)] = group_of(row)
        return found

    def _claim(self, keys: Collection[bytes]) -> None:
        if not keys:
            return
        statement = insert_missing(self._connection, groups).returning(groups.c.key, groups.c.id)
        rows = self._connection.execute(statement, [_PLACEHOLDER | {"key": key} for key in keys])
        self._placeholders.update((bytes(key), number) for key, number in rows)

    # --- The end --------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write the collected rows. `Ingesting.ingesting` calls this before the commit."""
        if self._counts:
            rows = [
                {"group_id": number, "resolution": MINUTE, "bucket": minute, "occurrences": occurrences}
                for (number, minute), occurrences in self._counts.items()
            ]
            self._connection.execute(upsert(self._connection, counts, add=["occurrences"]), rows)
        keep_samples(self._connection, self._samples)
        for chunk in chunks(self._placeholders.values()):
            self._connection.execute(delete(groups).where(groups.c.id.in_(chunk)))
        changed: dict[str, object] = {name: spools.c[name] + mails for name, mails in self._books.items()}
        changed |= {"position": self._position, "fingerprint_version": self._version}
        here = spools.c.spool_id == self._spool_id
        self._connection.execute(update(spools).where(here).values(**changed))


class Ingesting(Database):
    """The part of the ledger for the ingest step."""

    def cursor(self, spool_id: str) -> int:
        """Return the position of the next record to ingest; 0 for a spool that the ledger does not know."""
        with self._read() as connection:
            query = select(spools.c.position).where(spools.c.spool_id == spool_id)
            return connection.scalar(query) or 0

    def needed_from(self, spool_id: str) -> int:
        """Return the first position that the spool must keep: the cursor, or a parked mail without a file."""
        without_file = select(func.min(parked.c.position)).where(parked.c.spool_id == spool_id, parked.c.path == "")
        with self._read() as connection:
            cursor = connection.scalar(select(spools.c.position).where(spools.c.spool_id == spool_id)) or 0
            position = connection.scalar(without_file)
        return cursor if position is None else min(cursor, position)

    def quarantined_without_file(self, spool_id: str) -> list[int]:
        """Return the positions of parked mails that have no file yet, oldest first."""
        query = select(parked.c.position).where(parked.c.spool_id == spool_id, parked.c.path == "")
        with self._read() as connection:
            return list(connection.scalars(query.order_by(parked.c.position)))

    def set_quarantine_file(self, spool_id: str, position: int, path: str) -> None:
        """Store the path of a parked mail's file."""
        here = update(parked).where(parked.c.spool_id == spool_id, parked.c.position == position)
        with self._write(WriteMode.UNGATED) as connection:
            connection.execute(here.values(path=path))

    @contextmanager
    def ingesting(
        self, spool_id: str, position: int, *, version: int = 1, alone: bool = False
    ) -> Iterator[IngestTransaction]:
        """Run one transaction for a batch: commit at the end of the block, roll back on an exception.

        `version` is the fingerprint version of this worker. It is stored with the spool. `alone`: no other worker
        ingests at the same time, so that the block may join any errors (`merges`).
        Raises CursorMismatch unless the stored cursor is `position`. After a LedgerBusy from the end of the block, read
        `cursor()` again: the batch may have been committed.
        """
        with self._write(WriteMode.EXCLUSIVE if alone else WriteMode.SHARED) as connection:
            stored = _locked_cursor(connection, spool_id)
            if stored != position:
                raise CursorMismatch(f"spool {spool_id} was ingested up to {stored}, not up to {position}")
            transaction = IngestTransaction(connection, spool_id, position, version)
            yield transaction
            transaction.finish()


def _locked_cursor(connection: Connection, spool_id: str) -> int:
    query = select(spools.c.position).where(spools.c.spool_id == spool_id).with_for_update()
    position = connection.scalar(query)
    if position is None:
        connection.execute(insert_missing(connection, spools), {"spool_id": spool_id, "position": 0})
        position = connection.scalar(query)
    return position or 0


def _record_id(text: str) -> bytes:
    number = bytes.fromhex(text)
    if len(number) != 16:
        raise ValueError(f"a record id has 32 hex digits, not {len(text)}")
    return number
