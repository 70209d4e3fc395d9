"""Makes the entries of a digest out of groups, and one entry out of several that told of the same error (digest asks).

Pure. Guarantee: counts are neither lost nor made: an entry holds what was pending in its group, a merged one the
sums of its parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from relay.model import Entry, Group, Level, Reason, Report, Timeline
from relay.schedule.group import rate

_NEWS = (Reason.BACK, Reason.NEW)
_AFTER_A_QUIET = (Reason.BACK, Reason.AGAIN)


def entry(group: Group, why: Reason) -> Entry:
    """What is told of `group` now, still without its course and sample (`illustrate`).

    The closing total of a bout with nothing pending has 0 mails, and its last moment as `since` and `until`.
    """
    until = group.last_seen
    since = min(group.pending_since or until, until)
    return Entry(
        group_id=group.id,
        reason=why,
        app=group.app,
        title=group.title,
        level=group.level,
        mails=group.pending_mails,
        occurrences=group.pending_occurrences,
        since=since,
        until=until,
        rate=rate(group.pending_occurrences, since, until),
        rate_before=group.reported_rate,
        first_seen=group.first_seen,
        last_seen=group.last_seen,
        seen_before=group.seen_before if why in _AFTER_A_QUIET else None,
        total_occurrences=group.occurrences,
        episode_occurrences=group.episode_occurrences,
        episode_since=group.episode_since or group.first_seen,
        peak=group.peak,
        timeline=None,
        sample=None,
    )


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each group out of those of several digests, oldest digest first, the worst and most frequent first.

    Counts are summed. An error that was new in any of them is new to whoever got none of them. Courses and samples are
    left out.
    """
    by_group: dict[int, Entry] = {}
    for each in illustrate(entries, {}, {}):
        before = by_group.get(each.group_id)
        by_group[each.group_id] = _joined(before, each) if before else each
    return sorted(by_group.values(), key=lambda each: (-each.level, -each.occurrences))


def _joined(before: Entry, after: Entry) -> Entry:
    """The later entry, with the news of both."""
    news = before if before.reason in _NEWS and after.reason not in _NEWS else after
    both = [each for each in (before, after) if each.occurrences] or [after]
    since, until = min(each.since for each in both), max(each.until for each in both)
    occurrences = before.occurrences + after.occurrences
    return replace(
        after,
        reason=news.reason,
        seen_before=news.seen_before,
        level=max(before.level, after.level),
        mails=before.mails + after.mails,
        occurrences=occurrences,
        since=since,
        until=until,
        rate=rate(occurrences, since, until),
        rate_before=before.rate_before,
    )


def shown_in_full(entries: Sequence[Entry], most: int) -> list[Entry]:
    """The entries that a digest may show in full: the most frequent, CRITICAL ones before all others."""
    return sorted(entries, key=lambda each: (each.level < Level.CRITICAL, -each.occurrences))[:most]


def with_echoes(entries: Iterable[Entry]) -> list[tuple[Entry, tuple[Entry, ...]]]:
    """The entries that are told by themselves, in their order, each with those that are told in it."""
    entries = tuple(entries)
    echoes: dict[int, list[Entry]] = defaultdict(list)
    for each in entries:
        if each.echo_of is not None:
            echoes[each.echo_of].append(each)
    return [(each, tuple(echoes[each.group_id])) for each in entries if each.echo_of is None]


def illustrate(entries: Iterable[Entry], courses: Mapping[int, Timeline], samples: Mapping[int, Report]) -> list[Entry]:
    """The entries with their courses and samples; those that have none in the mappings are left without."""
    return [_illustrated(each, courses.get(each.group_id), samples.get(each.group_id)) for each in entries]


def _illustrated(entry: Entry, course: Timeline | None, sample: Report | None) -> Entry:
    if entry.timeline is course and entry.sample is sample:
        return entry  # as nearly all of a large digest
    return replace(entry, timeline=course, sample=sample)
