"""Predict how the current rules and fingerprint would group the known errors (for `relay regroup --dry-run`).

Pure: nothing is changed here. Ingest makes these changes by itself when the next mails come (`ingest.carry_over`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from relay.grouping.rules import Rules
from relay.grouping.splits import Splits
from relay.grouping.versions import Versions
from relay.model import Group, GroupKey, Report


class Fate(StrEnum):
    """What happens to a known error with its next mail."""

    IGNORED = "ignored"
    """A rule ignores it."""
    SPLIT = "split"
    """Its samples are several errors now. With a new version, the first to come takes over the group; the others get
    new groups."""
    JOINED = "joined"
    """It is the same error as other known ones now."""
    CARRIED = "carried over"
    """The version is new, but the error is the same: its group gets the new key."""
    ANEW = "a new group"
    """Its next mail opens a new group. Pending mails of the old group are still reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownError:
    """A group and its samples, newest first."""

    group: Group
    samples: Sequence[Report]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The change of one group. A group that does not change has no `Move`."""

    group: Group
    fate: Fate
    becomes: str
    """The new title, from the newest sample; "ignored" if a rule ignores it."""
    joins: tuple[int, ...]
    """The ids of the other groups that become the same error."""
    parts: tuple[str, ...]
    """The title of each part, if it is split."""


class _Judged(NamedTuple):
    """What is remembered of each group until all are read. No samples: there may be very many."""

    group: Group
    becomes: GroupKey
    """The key of its newest sample."""
    ignored: bool
    titles: tuple[str, ...]
    """The titles of the errors that its samples are now, newest first."""
    is_carried: bool


def moves(known: Iterable[KnownError], rules: Rules, versions: Versions, splits: Splits | None = None) -> list[Move]:
    """Return the changes of all groups that have a sample, in the order of `known`; `splits` are the ledger's."""
    splits = splits or Splits((), rules, versions)
    judged = [_judged(each, rules, versions, splits) for each in known if each.samples]
    under: dict[GroupKey, list[int]] = defaultdict(list)
    for each in judged:
        if not each.ignored:
            under[each.becomes].append(each.group.id)
    return [move for each in judged if (move := _move(each, under[each.becomes]))]


def _judged(known: KnownError, rules: Rules, versions: Versions, splits: Splits) -> _Judged:
    group = known.group
    ruled = [(report, rules.judge(report, versions.current(report))) for report in known.samples]
    found = [each._replace(fingerprint=splits.judge(report, each.fingerprint).fingerprint) for report, each in ruled]
    titles: dict[str, str] = {}
    for each in found:
        titles.setdefault(each.fingerprint.key, "ignored" if each.ignored else each.fingerprint.title)
    return _Judged(
        group=group,
        becomes=(group.route, group.app, found[0].fingerprint.key),
        ignored=found[0].ignored,
        titles=tuple(titles.values()),
        is_carried=_is_carried(known, rules, versions),
    )


def _is_carried(known: KnownError, rules: Rules, versions: Versions) -> bool:
    """Whether this release can compute the group's version, and its newest sample has the group's key in it."""
    method = versions.former.get(known.group.version)
    newest = known.samples[0]
    return method is not None and rules.judge(newest, method(newest)).fingerprint.key == known.group.fingerprint


def _move(judged: _Judged, same: Iterable[int]) -> Move | None:
    """The change of one group, None if there is none. `same` are the ids of all groups with its new key."""
    joins = tuple(number for number in same if number != judged.group.id)
    fate = _fate(judged, joins)
    if fate is None:
        return None
    parts = judged.titles if fate is Fate.SPLIT else ()
    return Move(group=judged.group, fate=fate, becomes=judged.titles[0], joins=joins, parts=parts)


def _fate(judged: _Judged, joins: Sequence[int]) -> Fate | None:
    if judged.ignored:
        return Fate.IGNORED
    if len(judged.titles) > 1:
        return Fate.SPLIT
    if judged.becomes[2] == judged.group.fingerprint:
        return None
    if joins:
        return Fate.JOINED
    return Fate.CARRIED if judged.is_carried else Fate.ANEW
