"""Finds, among the errors of one digest, those that are one failure logged in two places (digest asks; pure).

A view logs what it caught and raises it again, and the framework logs it once more; a worker reports a task, and the
page that waited for it does too; a library writes down what the app then trips over. Each log statement is a group of
its own, with counts of its own, and stays one: only what the admins read names both places in one entry.

Guarantee: strangers are never put together. Two entries are one failure only if they *went together* and are *tied*.

Went together: of one app and environment, told for the same reason, first and last seen within seconds of each other,
in comparable numbers, minute by minute.

Tied, in one of these ways, each of which names one failure and not a kind of failure:

    one stack        the same exceptions, where the calls of one end the calls of the other: caught further up
    a cause          the same, where the one chain begins the other: logged, then raised as something else
    a library        a library's own log of an exception which the app's chain begins or goes on with
    a courier        an exception that a queue or a pool handed over, and to the letter the same where it was raised
    one sentence     without a trace: word for word the same text, from a logger and from one of its parents
    a quotation      without a trace: what an exception says, written down by a function on that exception's way

Whatever two of these fit equally is ambiguous, and stays apart: all of those tied must be tied to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import combinations
from typing import NamedTuple

from relay.grouping.components import ChainedError, Components, components
from relay.model import Entry, Reason, Report, Timeline
from relay.traces import Frame, Origin
from relay.traces.paths import KNOWN, python_place

TOGETHER = timedelta(seconds=10)
"""So far apart may the first and the last moment of two records of one failure be: a queue lies between them."""
MOST = 100
"""Entries that are looked at: each is compared with each."""

_COURIERS = frozenset(("arq", "billiard", "celery", "distributed", "dramatiq", "huey", "joblib", "rq", "vine"))
_COURIERS_FILES = frozenset(("futures/_base.py", "futures/process.py", "multiprocessing/pool.py"))
"""Task queues and pools: the last call of what they raise is theirs, though it failed elsewhere."""

_SHORTEST_QUOTATION = 8


def correlate(entries: Iterable[Entry]) -> list[Entry]:
    """The entries in their order, with `echo_of` set anew: only those with a sample can be an echo or have one."""
    found = list(entries)
    heads = _heads([(each, each.sample) for each in found if each.sample][:MOST])
    return [_told_with(each, heads.get(each.group_id)) for each in found]


def _told_with(entry: Entry, head: int | None) -> Entry:
    return entry if entry.echo_of == head else replace(entry, echo_of=head)


class _Place(NamedTuple):
    """An entry with a closer look at its sample."""

    entry: Entry
    report: Report
    components: Components


def _heads(entries: Sequence[tuple[Entry, Report]]) -> dict[int, int]:
    """Of each echo the group it is told with."""

    @cache
    def place(number: int) -> _Place:
        entry, report = entries[number]
        return _Place(entry, report, components(report))

    ties = {number: {number} for number in range(len(entries))}
    for one, other in combinations(ties, 2):
        if _went_together(entries[one][0], entries[other][0]) and _tied(place(one), place(other)):
            ties[one].add(other)
            ties[other].add(one)
    heads = {}
    for number, tied in ties.items():
        if len(tied) > 1 and all(ties[other] == tied for other in tied):
            heads[entries[number][0].group_id] = min(map(place, tied), key=_rank).entry.group_id
    return {echo: head for echo, head in heads.items() if echo != head}


def _rank(place: _Place) -> tuple[int, int, int, int]:
    """The one that tells most comes first: the worst level, the longest chain, the longest way there."""
    return (-place.entry.level, -len(place.components.chain), -len(place.components.frames), place.entry.group_id)


# --- Went together ----------------------------------------------------------------------------------------------------


def _went_together(one: Entry, other: Entry) -> bool:
    """Whether they may have come from the same events, by their numbers alone."""
    if (one.app, one.reason) != (other.app, other.reason) or _environments(one, other) > 1:
        return False
    (since, until, count), (its_since, its_until, its_count) = _window(one), _window(other)
    return (
        abs(since - its_since) <= TOGETHER
        and abs(until - its_until) <= TOGETHER
        and _comparable(count, its_count)
        and _same_course(one.timeline, other.timeline)
    )


def _window(entry: Entry) -> tuple[datetime, datetime, int]:
    """From when to when, and how often; of an error that has ended, its whole bout."""
    if entry.reason is Reason.ENDED:
        return entry.episode_since, entry.last_seen, entry.episode_occurrences
    return entry.since, entry.until, entry.occurrences


def _environments(one: Entry, other: Entry) -> int:
    return len({each.sample.environment for each in (one, other) if each.sample and each.sample.environment})


def _comparable(count: int, other: int) -> bool:
    """Some of the last may still be on their way."""
    return min(count, other) > 0 and abs(count - other) <= max(1, max(count, other) // 20)


def _same_course(one: Timeline | None, other: Timeline | None) -> bool:
    """Whether they rose and fell together; what fell into the next step by seconds is allowed for."""
    if one is None or other is None:
        return True
    if one.step != other.step:
        return False
    counts, its = _by_time(one), _by_time(other)
    apart = sum(abs(counts.get(at, 0) - its.get(at, 0)) for at in counts.keys() | its.keys())
    return apart <= max(2, max(sum(counts.values()), sum(its.values())) // 4)


def _by_time(course: Timeline) -> dict[datetime, int]:
    return {course.since + number * course.step: count for number, count in enumerate(course.counts) if count}


# --- Tied -------------------------------------------------------------------------------------------------------------


def _tied(one: _Place, other: _Place) -> bool:
    if one.components.parts == other.components.parts:  # one error, which an administrator's rule has split
        return False
    if one.components.chain and other.components.chain:
        pairs = ((one, other), (other, one))
        return any(_is_part(a, b) or _is_librarys(a, b) or _is_handed_over(a, b) for a, b in pairs)
    if one.components.chain or other.components.chain:
        line, raised = (other, one) if one.components.chain else (one, other)
        return _is_quotation(line, raised)
    return _is_sentence(one, other)


def _is_part(inner: _Place, outer: _Place) -> bool:
    """One stack, or a cause: the outer chain begins with the inner one, each error caught further down or further up.

    An error that has a cause in one place and none in the other is not the same.
    """
    chain, whole = inner.components.chain, outer.components.chain
    return len(chain) <= len(whole) and all(map(_same_raise, chain, whole))


def _same_raise(one: ChainedError, other: ChainedError) -> bool:
    if not _same_exception(one, other):
        return False
    calls, its = one.error.frames, other.error.frames
    inwards = zip(reversed(calls), reversed(its), strict=False)
    return bool(calls and its) and all(frame.place == its_frame.place for frame, its_frame in inwards)


def _same_exception(one: ChainedError, other: ChainedError) -> bool:
    return bool(one.type) and (one.type, one.template.key) == (other.type, other.template.key)


def _is_librarys(log: _Place, app: _Place) -> bool:
    """A library's log, in whose stack nobody else is, of an exception in the chain of the app's own."""
    reported = log.components.chain[-1]
    return (
        _is_of_library(log.report)
        and not _is_of_library(app.report)
        and not any(map(_is_of_app, log.components.chain))
        and any(_same_exception(reported, link) for link in app.components.chain)
    )


def _is_of_library(report: Report) -> bool:
    """Whether a well-known library logged it: by its logger's name, or by its file."""
    if report.logger:
        return report.logger.partition(".")[0] in KNOWN
    place = python_place(report.location.rpartition(":")[0])
    return place.origin is Origin.LIBRARY and place.package in KNOWN


def _is_library(frame: Frame) -> bool:
    return frame.origin is Origin.LIBRARY


def _is_handed_over(received: _Place, raised: _Place) -> bool:
    """What a queue or a pool raises anew where its result is asked for, and what its worker logged."""
    receipt, original = received.components.chain[-1], raised.components.chain[-1]
    return (
        _same_exception(receipt, original)
        and receipt.error.message == original.error.message
        and _is_of_app(receipt)
        and _is_of_app(original)
        and _is_couriers(receipt.error.frames[-1])
        and not _is_couriers(original.error.frames[-1])
    )


def _is_of_app(link: ChainedError) -> bool:
    return any(not _is_library(frame) for frame in link.error.frames)


def _is_couriers(frame: Frame) -> bool:
    return _is_library(frame) and (frame.package in _COURIERS or frame.file in _COURIERS_FILES)


def _is_quotation(line: _Place, raised: _Place) -> bool:
    """`log.error("charging failed: %s", error)` in a function through which that error then went on its way up."""
    reported = raised.components.chain[-1]
    text = reported.error.message.strip()
    way = {(frame.file, frame.function) for link in raised.components.chain for frame in link.calls.own}
    return len(text) >= _SHORTEST_QUOTATION and text in line.report.message and line.components.location[:2] in way


def _is_sentence(one: _Place, other: _Place) -> bool:
    """The same text to the letter, by a logger and one above it."""
    text = one.report.message.strip()
    return bool(text) and text == other.report.message.strip() and _is_related(one.report.logger, other.report.logger)


def _is_related(logger: str, other: str) -> bool:
    """Whether one is the other's parent, as the dots in their names have it."""
    above, below = sorted((logger, other), key=len)
    return bool(above) and (below.startswith(f"{above}.") or above == "root") and above != below
