"""Read the timelines of groups from their counts (base layer of the ledger).

Rolled-up counts are stored at the beginning of their hour or day. A timeline that reaches back to them has steps of at
least that length. All steps begin at multiples of their length, so no count is ever split or counted twice. The
timeline of a merged error adds up the counts of its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from relay.ledger.columns import EPOCH
from relay.ledger.members import faces_by_part
from relay.ledger.rows import chunks
from relay.ledger.schema import counts
from relay.model import Timeline

MOST_STEPS = 24
_STEPS = tuple(
    timedelta(minutes=minutes)
    for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2 * 1440, 7 * 1440, 28 * 1440)
)


def timelines(connection: Connection, since: Mapping[int, datetime], now: datetime) -> dict[int, Timeline]:
    """Return the timeline of each group from its time in `since` to `now`; omit groups without counts."""
    frames = {group_id: _frame(begin, now) for group_id, begin in since.items()}
    sums = {group_id: [0] * _length(begin, step, now) for group_id, (begin, step) in frames.items()}
    face_of = faces_by_part(connection, frames) | {group_id: group_id for group_id in frames}
    for chunk in chunks(face_of):
        earliest = min(frames[face_of[group_id]][0] for group_id in chunk)
        query = select(counts.c.group_id, counts.c.bucket, counts.c.occurrences).where(counts.c.group_id.in_(chunk))
        for group_id, bucket, occurrences in connection.execute(query.where(counts.c.bucket >= earliest)):
            face = face_of[group_id]
            begin, step = frames[face]
            place = (bucket - begin) // step
            if 0 <= place < len(sums[face]):
                sums[face][place] += occurrences
    return {
        group_id: Timeline(since=begin, step=step, counts=tuple(sums[group_id]))
        for group_id, (begin, step) in frames.items()
        if any(sums[group_id])
    }


def _frame(since: datetime, now: datetime) -> tuple[datetime, timedelta]:
    """Return the begin of the timeline, and the smallest step with which it fits."""
    for step in _STEPS:
        begin = floor(since, step)
        if _length(begin, step, now) <= MOST_STEPS:
            return begin, step
    return floor(now, step) - (MOST_STEPS - 1) * step, step


def _length(begin: datetime, step: timedelta, now: datetime) -> int:
    return max(0, (now - begin) // step) + 1


def floor(at: datetime, step: timedelta) -> datetime:
    """Return the last multiple of `step` since 1970 that is not after `at`."""
    return at - (at - EPOCH) % step
