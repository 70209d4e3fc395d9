"""Delete old data from the ledger, in small transactions (housekeeping → ledger).

Guarantee: data that the books still need and dead letters are never deleted. Rolled-up counts keep their sum.

    counts            per minute for 48 h, then per hour for 14 d, then per day until `counts_for`
    samples           `samples_for`
    guessed apps      `counts_for` after the name was last seen
    record ids        24 h
    messages          bytes and entries `messages_for` after the end, the row `counts_for` after it; DEAD ones stay
    stubs             7 days after their error was last seen (`ledger.stubs`)
    learned places    once unchanged for 90 days, unless they remember what is kept apart; at most 50,000
    groups            once quiet for `counts_for` with nothing pending and no mute; those that an administrator merged
                      stay, so that the merge holds when they come back; a face stays as long as it has parts
    audit log         two years
    parked mails      by the caller, who owns their files: `Queries.quarantined(before=…)`, then `forget_quarantined`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, exists, or_, select, tuple_

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.engine import Database
from relay.ledger.results import QuarantinedMail
from relay.ledger.rows import chunks
from relay.ledger.schema import (
    DAY,
    HOUR,
    MINUTE,
    bodies,
    counts,
    entries,
    groups,
    guessed_apps,
    learned_places,
    messages,
    parked,
    records,
    samples,
)
from relay.ledger.steering_schema import audit, members
from relay.ledger.timeline import floor
from relay.ledger.upsert import upsert
from relay.model import LEARNED, MessageState

_SPANS = {HOUR: timedelta(hours=1), DAY: timedelta(days=1)}
_ROLL_UPS = ((MINUTE, HOUR, timedelta(hours=48)), (HOUR, DAY, timedelta(days=14)))
"""From resolution, to resolution, at this age."""
_RECORDS_FOR = timedelta(hours=24)
_PLACES_FOR = timedelta(days=90)
MAX_PLACES = 50_000
"""Places of which something is known; those that changed longest ago are forgotten first."""
_STUBS_FOR = timedelta(days=7)
"""How long a stub stays that no worker with an earlier fingerprint version has used."""
_MERGED_BY_HAND = exists().where(
    members.c.group_id == groups.c.id, members.c.into_id.is_not(None), members.c.author != LEARNED
)
_PART = groups.alias()
_HAS_PARTS = exists().where(_PART.c.merged_into == groups.c.id, _PART.c.id != groups.c.id)
_AUDIT_FOR = timedelta(days=730)
_FREED_PAGES = 1_000
"""Returned to the file system in one round: 4 MB."""


class Purge(Database):
    """The part of the ledger for housekeeping."""

    def purge(
        self,
        now: datetime,
        *,
        samples_for: timedelta,
        counts_for: timedelta,
        messages_for: timedelta = timedelta(days=14),
        limit: int = 1_000,
    ) -> int:
        """Run one bounded round: at most `limit` rows of each kind, each kind in its own transaction.

        Returns how many rows were deleted or rolled up; 0 means nothing is left to do.
        """
        newest = select(learned_places.c.at).order_by(learned_places.c.at.desc()).offset(MAX_PLACES).limit(1)
        forgotten = and_(learned_places.c.at < now - _PLACES_FOR, ~learned_places.c.pinned)
        settled = messages.c.state.in_([MessageState.SENT, MessageState.DROPPED])
        read = select(messages.c.id).where(settled, messages.c.ended_at < now - messages_for)
        expired: list[tuple[Table, ColumnElement[bool]]] = [
            (counts, and_(counts.c.resolution.in_([MINUTE, HOUR, DAY]), counts.c.bucket < now - counts_for)),
            (samples, samples.c.at < now - samples_for),
            (guessed_apps, guessed_apps.c.at < now - counts_for),
            (learned_places, or_(forgotten, learned_places.c.at <= newest.scalar_subquery())),
            (records, records.c.at < now - _RECORDS_FOR),
            (audit, audit.c.at < now - _AUDIT_FOR),
            (bodies, bodies.c.outbox_id.in_(read)),
            (entries, entries.c.outbox_id.in_(read)),
            (messages, and_(settled, messages.c.ended_at < now - max(counts_for, messages_for))),
        ]
        done = sum(self._expire(table, condition, limit) for table, condition in expired)
        done += self._expire_groups(now, now - counts_for, limit)
        done += sum(self._roll_up(fine, coarse, now - age, limit) for fine, coarse, age in _ROLL_UPS)
        self._shrink(_FREED_PAGES)
        return done

    def forget_quarantined(self, mails: Iterable[QuarantinedMail]) -> None:
        """Remove mails from the list of parked ones, after their files were unlinked. They stay in the books."""
        place = tuple_(parked.c.spool_id, parked.c.position)
        with self._write(WriteMode.UNGATED) as connection:
            for chunk in chunks((mail.spool_id, mail.position) for mail in mails):
                connection.execute(delete(parked).where(place.in_(chunk)))

    def _expire(self, table: Table, condition: ColumnElement[bool], limit: int) -> int:
        with self._write(WriteMode.EXCLUSIVE) as connection:
            key = list(table.primary_key)
            some = select(*key).where(condition).limit(limit)
            return connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount

    def _expire_groups(self, now: datetime, before: datetime, limit: int) -> int:
        """Scan for quiet groups without a lock, since no index finds them; check them again before deletion."""
        unused_stub = and_(groups.c.occurrences == 0, groups.c.last_seen < now - _STUBS_FOR)
        quiet = and_(
            or_(groups.c.last_seen < before, unused_stub),
            groups.c.pending_occurrences == 0,
            or_(groups.c.muted_until <= now, and_(groups.c.muted_until.is_(None), groups.c.mute_above.is_(None))),
            ~_MERGED_BY_HAND,
            ~_HAS_PARTS,
        )
        with self._read() as connection:
            found = connection.scalars(select(groups.c.id).where(quiet).limit(limit)).all()
        return self._expire(groups, and_(quiet, groups.c.id.in_(found)), limit) if found else 0

    def _roll_up(self, fine: int, coarse: int, before: datetime, limit: int) -> int:
        """Sum counts of one resolution into the next, whole hours or days at a time."""
        span = _SPANS[coarse]
        old = (counts.c.resolution == fine, counts.c.bucket < floor(before, span))
        sums: Counter[tuple[int, datetime]] = Counter()
        with self._write(WriteMode.EXCLUSIVE) as connection:
            rows = connection.execute(select(counts).where(*old).order_by(counts.c.bucket).limit(limit)).all()
            for row in rows:
                sums[row.group_id, floor(row.bucket, span)] += row.occurrences
            _replace_counts(connection, fine, [(row.group_id, row.bucket) for row in rows], coarse, sums)
        return len(rows)


def _replace_counts(
    connection: Connection,
    fine: int,
    gone: list[tuple[int, datetime]],
    coarse: int,
    sums: Counter[tuple[int, datetime]],
) -> None:
    if not gone:
        return
    here = (counts.c.group_id == bindparam("of"), counts.c.resolution == fine, counts.c.bucket == bindparam("at"))
    connection.execute(delete(counts).where(*here), [{"of": group_id, "at": bucket} for group_id, bucket in gone])
    rows = [
        {"group_id": group_id, "resolution": coarse, "bucket": bucket, "occurrences": occurrences}
        for (group_id, bucket), occurrences in sums.items()
    ]
    connection.execute(upsert(connection, counts, add=["occurrences"]), rows)
