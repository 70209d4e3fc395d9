"""What the rules and the fingerprint of today would make of the errors that are known (for `relay regroup`).

Pure, and tells of what sort does by itself as mails come (`succession`): nothing is moved here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from relay.grouping.rules import Rules
from relay.grouping.versions import Versions
from relay.model import Group, GroupKey, Report


class Fate(StrEnum):
    """What becomes of a known error when its next mail comes."""

    IGNORED = "ignored"
    SPLIT = "split"
    """Its samples are several errors now: the first to come takes the group over where the version is new, the others
    get groups of their own."""
    JOINED = "joined"
    """It is one error with others that are known."""
    CARRIED = "carried over"
    """The version is new and it is what it was: the group goes on under another key."""
    ANEW = "a new group"
    """Its next mail opens a group; what is pending in this one is still told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownError:
    """A group and its samples, the newest first."""

    group: Group
    samples: Sequence[Report]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What becomes of one group. Groups that stay as they are make none."""

    group: Group
    fate: Fate
    becomes: str
    """The title of its newest sample; "ignored" where a rule says so."""
    joins: tuple[int, ...]
    """The ids of the other groups that are the same error then."""
    parts: tuple[str, ...]
    """Where it is split, the title of each part."""


class _Judged(NamedTuple):
    """What is kept of a group while all are looked at: no sample, since there may be very many."""

    group: Group
    becomes: GroupKey
    ignored: bool
    titles: tuple[str, ...]
    """Of the errors that its samples are now, the newest first."""
    is_carried: bool


def moves(known: Iterable[KnownError], rules: Rules, versions: Versions) -> list[Move]:
    """What becomes of the groups that have a sample, in their order."""
    judged = [_judged(each, rules, versions) for each in known if each.samples]
    under: dict[GroupKey, list[int]] = defaultdict(list)
    for each in judged:
        if not each.ignored:
            under[each.becomes].append(each.group.id)
    return [move for each in judged if (move := _move(each, under[each.becomes]))]


def _judged(known: KnownError, rules: Rules, versions: Versions) -> _Judged:
    group = known.group
    found = [rules.judge(report, versions.current(report)) for report in known.samples]
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
    """Whether the group's own version is still made, and gives its newest sample the group's key."""
    method = versions.former.get(known.group.version)
    newest = known.samples[0]
    return method is not None and rules.judge(newest, method(newest)).fingerprint.key == known.group.fingerprint


def _move(judged: _Judged, same: Iterable[int]) -> Move | None:
    """None for a group that stays as it is; `same` are all groups with its new key."""
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
