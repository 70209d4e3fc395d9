"""Count the errors of a batch into their groups, within the transaction of the batch (ingest → schedule → ledger).

Each error is counted on the row of its own fingerprint: times, minutes, sample. Its life cycle is that of the face of
its error (`model.merge`), which is the row itself unless it was merged. All mails of a batch for one error are one
arrival at its face (`schedule.group.arrive`), and each part gets its share of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from relay.commands.joining import join_groups
from relay.grouping.observation import Observation
from relay.grouping.versions import Versions
from relay.ingest.carry_over import CarriedOver
from relay.ledger import IngestTransaction
from relay.model import LEARNED, Arrival, Fingerprint, Group, GroupKey, MergedBy, Report, Sample, SplitRule, Timing
from relay.schedule import merge
from relay.schedule.group import arrive, open_group, split_off
from relay.schedule.mutes import HOUR, is_muted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedError:
    """One error of a mail, with the key of its group."""

    key: GroupKey
    at: datetime
    mails: int
    """1 for the worst error of the mail, to which the mail belongs; 0 for a further one."""
    report: Report
    fingerprint: Fingerprint
    split: SplitRule | None = None
    """The rule that made it a part of a split error."""
    seen: Observation | None = None
    """What can be learned from it; None for nothing (`ingest.learning`)."""


ErrorsByKey = Mapping[GroupKey, Sequence[ReportedError]]
"""The errors of a batch, by the key of their group."""


class Counting:
    """Counts the errors of batches. `timings` are those of the routes, by name."""

    def __init__(self, timings: Mapping[str, Timing], versions: Versions) -> None:
        self._timings = timings
        self._versions = versions

    def count(self, tx: IngestTransaction, errors_by_key: ErrorsByKey, carried: CarriedOver, now: datetime) -> int:
        """Add the errors of each key to their group. Returns the number of muted mails."""
        former = {each: key for each, key in carried.former.items() if key in errors_by_key}
        groups = tx.groups([*errors_by_key, *former])
        rows = dict(
            _rows(errors_by_key, groups, former, {**_split_parents(tx, errors_by_key, groups), **carried.parents})
        )
        batch = _Batch(tx, rows, {key: arrival_of(errors) for key, errors in errors_by_key.items()})
        faces, muted = batch.arrive(errors_by_key, self._timings)
        ids = {key: row.id for key, row in rows.items()}
        ids |= {key: group.id for key, group in tx.save(faces.values()).items() if key in rows}
        for key, group_id in ids.items():
            tx.count(group_id, batch.arrivals[key].minutes)
            tx.sample(group_id, _sample(errors_by_key[key]))
        if former:
            stubs = {each: faces[key] for each, key in former.items()}
            tx.save_stubs(stubs, groups, min(self._versions.former))
        self._stay_merged(tx, carried, ids, now)
        return muted

    def _stay_merged(
        self, tx: IngestTransaction, carried: CarriedOver, ids: Mapping[GroupKey, int], now: datetime
    ) -> None:
        """Join errors that were parts of a merged one under a former fingerprint version: the merge holds for them.

        Not if the new version has moved one to another route: it goes to other people, and is an error of its own.
        """
        for key, parent in carried.parents.items():
            member = tx.merges.member(parent.id) if parent.merged_into is not None and key in ids else None
            if member is None or member.group.merged_into is None or member.group.route != key[0]:
                continue
            reason = f"it was part of error {parent.id} before fingerprint version {self._versions.number}"
            by = MergedBy(author=member.by.author if member.by else LEARNED, reason=reason, at=now)
            join_groups(tx.merges, parent.id, ids[key], by, self._timings[key[0]], now=now, into=parent.id)


def _rows(
    errors_by_key: ErrorsByKey,
    groups: Mapping[GroupKey, Group],
    former: Mapping[GroupKey, GroupKey],
    parents: Mapping[GroupKey, Group],
) -> Iterator[tuple[GroupKey, Group]]:
    """Yield each key with the row of its own fingerprint, which may be new (id 0)."""
    for key, errors in errors_by_key.items():
        group = groups.get(key) or _opened(key, errors[-1].fingerprint, arrival_of(errors), parents.get(key))
        yield key, _seen_by_others(group, [groups[each] for each in former if former[each] == key and each in groups])


def _split_parents(
    tx: IngestTransaction, errors_by_key: ErrorsByKey, groups: Mapping[GroupKey, Group]
) -> dict[GroupKey, Group]:
    """Return the error that was split, for each new part of it: the part is no news, it is due when that error is."""
    split_from = {key: errors[-1].split.group_id for key, errors in errors_by_key.items() if errors[-1].split}
    new = {key: number for key, number in split_from.items() if key not in groups}
    members = tx.merges.some(set(new.values())) if new else {}
    return {key: members[number].group for key, number in new.items() if number in members}


@dataclass(frozen=True, slots=True)
class _Batch:
    """The rows of a batch, and what arrived at each of them."""

    tx: IngestTransaction
    rows: Mapping[GroupKey, Group]
    arrivals: Mapping[GroupKey, Arrival]

    def arrive(self, errors_by_key: ErrorsByKey, timings: Mapping[str, Timing]) -> tuple[dict[GroupKey, Group], int]:
        """Count the arrivals at the faces, and save the shares of parts.

        Returns the face of each key after it, to be saved, and the number of muted mails.
        """
        keys_by_error: dict[GroupKey | int, list[GroupKey]] = defaultdict(list)
        for key, row in self.rows.items():
            keys_by_error[key if row.merged_into is None else row.merged_into].append(key)
        faces: dict[GroupKey, Group] = {}
        muted = 0
        for keys in keys_by_error.values():
            one = self.rows[keys[0]]
            if one.merged_into is None:
                total, before = self.arrivals[keys[0]], one
                after = self._grown(before, total, timings)
            else:
                total = arrival_of(error for key in keys for error in errors_by_key[key])
                before, after = self._merged(keys, total, timings)
            faces |= dict.fromkeys(keys, after)
            muted += total.mails - (after.pending_mails - before.pending_mails)
        return faces, muted

    def _merged(self, keys: Sequence[GroupKey], total: Arrival, timings: Mapping[str, Timing]) -> tuple[Group, Group]:
        """Count what arrived at a merged error. Returns its face before and after it."""
        own = [self.rows[key] for key in keys]
        face = next((row for row in own if row.is_face), None) or self.tx.face_of(own[0])
        members = self.tx.members(own)
        for row in own:
            if not row.is_face:
                face, members[row.id] = merge.absorb(face, members[row.id], timings[face.route])
        after = self._grown(face, total, timings)
        changed = [merge.count(members[self.rows[key].id], face, after, self.arrivals[key]) for key in keys]
        self.tx.save_members(changed)
        return face, after

    def _grown(self, face: Group, arrival: Arrival, timings: Mapping[str, Timing]) -> Group:
        rated = face.mute_above is not None and is_muted(face, arrival.last)
        last_hour = self.tx.occurrences_after(face.id, arrival.last - HOUR) if rated else 0
        return arrive(face, arrival, timings[face.route], last_hour=last_hour)


def _seen_by_others(group: Group, former: Sequence[Group]) -> Group:
    """Return the group, seen last when a worker with an earlier fingerprint version saw it under a former key."""
    return replace(group, last_seen=max(group.last_seen, *(each.last_seen for each in former))) if former else group


def _opened(key: GroupKey, found: Fingerprint, arrival: Arrival, parent: Group | None) -> Group:
    """Open a group. `parent` is the group that the error belonged to under an earlier fingerprint, if any."""
    if parent:
        return replace(split_off(parent, fingerprint=found, arrival=arrival), route=key[0], app=key[1])
    return open_group(route=key[0], app=key[1], fingerprint=found, arrival=arrival)


def arrival_of(errors: Iterable[ReportedError]) -> Arrival:
    """Return the sum of a batch's mails for one error."""
    parts = list(errors)
    minutes: dict[datetime, int] = defaultdict(int)
    for error in parts:
        minutes[error.at.replace(second=0, microsecond=0)] += error.report.count
    times = [error.at for error in parts]
    return Arrival(
        mails=sum(error.mails for error in parts),
        occurrences=sum(error.report.count for error in parts),
        first=min(times),
        last=max(times),
        level=max(error.report.level for error in parts),
        minutes=dict(minutes),
    )


def _sample(errors: Sequence[ReportedError]) -> Sample:
    """Return the sample of a batch: the newest report of a mail that was stored whole, else the newest one.

    The report of a mail's own error is preferred to that of a further one.
    """
    best = max(errors, key=lambda error: (not error.report.cut, error.mails, error.at))
    return Sample(at=best.at, report=best.report)
