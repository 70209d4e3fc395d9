"""Store a few sample reports of each group: the first and the newest ones (base layer of the ledger)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, insert, select

from relay.ledger.members import faces_by_part
from relay.ledger.rows import chunks, report_json, report_of
from relay.ledger.schema import samples
from relay.model import Report, Sample

SAMPLES_KEPT = 5
"""The number of newest samples that a group keeps, in addition to its first one."""

_OUTLIVED = and_(samples.c.number > 0, samples.c.number <= bindparam("oldest"))
_DROP_OUTLIVED = delete(samples).where(samples.c.group_id == bindparam("group"), _OUTLIVED)


def keep_samples(connection: Connection, new: Iterable[tuple[int, Sample]]) -> None:
    """Add samples (by group, in the order of arrival) and delete those between the first and the newest."""
    by_group: dict[int, list[Sample]] = defaultdict(list)
    for group_id, sample in new:
        by_group[group_id].append(sample)
    if not by_group:
        return
    last = _last_numbers(connection, by_group)
    rows = [
        {"group_id": group_id, "number": number, "at": sample.at, "report": report_json(sample.report)}
        for group_id, added in by_group.items()
        for number, sample in _numbered(added, last.get(group_id))
    ]
    connection.execute(insert(samples), rows)
    full = [
        {"group": group_id, "oldest": last.get(group_id, -1) + len(added) - SAMPLES_KEPT}
        for group_id, added in by_group.items()
        if last.get(group_id, -1) + len(added) > SAMPLES_KEPT
    ]
    if full:
        connection.execute(_DROP_OUTLIVED, full)


def _numbered(added: Sequence[Sample], last: int | None) -> list[tuple[int, Sample]]:
    """Return the samples to store, with their numbers; skip those in the middle of a long list."""
    numbered = list(enumerate(added, start=0 if last is None else last + 1))
    first = [pair for pair in numbered[:1] if pair[0] == 0]
    return first + numbered[len(first) :][-SAMPLES_KEPT:]


def newest(connection: Connection, group_ids: Collection[int]) -> dict[int, Report]:
    """Return the newest sample of each error that has one. A merged error has the samples of its parts too."""
    face_of = faces_by_part(connection, group_ids) | {group_id: group_id for group_id in group_ids}
    found: dict[int, tuple[datetime, str]] = {}
    for chunk in chunks(face_of):
        last = _last(chunk).subquery()
        same = and_(samples.c.group_id == last.c.group_id, samples.c.number == last.c.number)
        query = select(samples.c.group_id, samples.c.at, samples.c.report).join(last, same)
        for group_id, at, text in connection.execute(query):
            face = face_of[group_id]
            if face not in found or found[face][0] < at:
                found[face] = (at, text)
    return {face: report_of(text) for face, (_, text) in found.items()}


def samples_of(connection: Connection, group_id: int, most: int, *, parts: bool) -> list[Sample]:
    """Return the newest samples of an error, at most `most`, the newest first; with those of its parts if asked for."""
    found: list[tuple[datetime, int, str]] = []
    for chunk in chunks([group_id, *(faces_by_part(connection, [group_id]) if parts else ())]):
        query = select(samples.c.at, samples.c.number, samples.c.report).where(samples.c.group_id.in_(chunk))
        rows = connection.execute(query.order_by(samples.c.at.desc(), samples.c.number.desc()).limit(most))
        found += [(at, number, text) for at, number, text in rows]
    found.sort(reverse=True)
    return [Sample(at=at, report=report_of(text)) for at, _, text in found[:most]]


def _last_numbers(connection: Connection, group_ids: Iterable[int]) -> dict[int, int]:
    numbers: dict[int, int] = {}
    for chunk in chunks(group_ids):
        numbers.update((row.group_id, row.number) for row in connection.execute(_last(chunk)))
    return numbers


def _last(group_ids: Collection[int]) -> Select[tuple[int, int]]:
    number = func.max(samples.c.number).label("number")
    return select(samples.c.group_id, number).where(samples.c.group_id.in_(group_ids)).group_by(samples.c.group_id)
