"""Build the entries of a digest from groups, and merge the entries of several digests (pure; for the digest step).

Guarantee: no count is lost or invented. An entry has the pending counts of its group; a merged entry has the sums of
its parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from relay.model import Entry, Group, Level, Reason, Report, Timeline
from relay.schedule.group import rate

_FIRST_REPORT = (Reason.BACK, Reason.NEW)
_AFTER_QUIET = (Reason.BACK, Reason.AGAIN)


def entry(group: Group, why: Reason) -> Entry:
    """Return the entry of `group` for a digest of now, without timeline and sample (see `attach_samples`).

    A closing total with nothing pending has 0 mails, and `since` and `until` are the time of the last mail.
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
        seen_before=group.seen_before if why in _AFTER_QUIET else None,
        total_occurrences=group.occurrences,
        episode_occurrences=group.episode_occurrences,
        episode_since=group.episode_since or group.first_seen,
        peak=group.peak,
        timeline=None,
        sample=None,
        episode_muted=group.episode_muted,
        exceeded=group.mute_above if group.mute_exceeded else None,
    )


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """Merge the entries of several digests into one per group, the worst level and the most frequent first.

    `entries` begin with the oldest digest. Counts are summed. An error that is new in one of the digests is new in the
    result, since the recipient got none of them. Timelines and samples are left out.
    """
    by_group: dict[int, Entry] = {}
    for each in attach_samples(entries, {}, {}):
        before = by_group.get(each.group_id)
        by_group[each.group_id] = _merge(before, each) if before else each
    return sorted(by_group.values(), key=lambda each: (-each.level, -each.occurrences))


def _merge(before: Entry, after: Entry) -> Entry:
    """Return the later entry with the counts of both. A reason `new` or `back` of the earlier one stays."""
    news = before if before.reason in _FIRST_REPORT and after.reason not in _FIRST_REPORT else after
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
    """Return the entries that a digest shows in full, at most `most`: CRITICAL ones first, then the most frequent."""
    return sorted(entries, key=lambda each: (each.level < Level.CRITICAL, -each.occurrences))[:most]


def with_echoes(entries: Iterable[Entry]) -> list[tuple[Entry, tuple[Entry, ...]]]:
    """Return the entries that are shown by themselves, in order, each with its echoes (`Entry.echo_of`)."""
    entries = tuple(entries)
    echoes: dict[int, list[Entry]] = defaultdict(list)
    for each in entries:
        if each.echo_of is not None:
            echoes[each.echo_of].append(each)
    return [(each, tuple(echoes[each.group_id])) for each in entries if each.echo_of is None]


def attach_samples(
    entries: Iterable[Entry], timelines: Mapping[int, Timeline], samples: Mapping[int, Report]
) -> list[Entry]:
    """Return the entries with the timeline and the sample of their group id, or None where the mapping has none."""
    return [_with_sample(each, timelines.get(each.group_id), samples.get(each.group_id)) for each in entries]


def _with_sample(entry: Entry, timeline: Timeline | None, sample: Report | None) -> Entry:
    if entry.timeline is timeline and entry.sample is sample:
        return entry  # nearly all entries of a large digest: this saves the copies
    return replace(entry, timeline=timeline, sample=sample)
