"""Find errors of one digest that are the same failure, logged in two places (pure; for the digest step).

Examples: a view logs an exception and raises it again, and the framework logs it once more. A task worker logs a
failed task, and the page that waited for the task logs it too. A library logs an exception that the app then fails on.
Each log statement keeps its own group with its own counts. Only the digest shows both places in one entry: that of the
head. The other entries are its echoes (`Entry.echo_of`).

Guarantee: unrelated errors are never combined. Two entries are one failure only if they occurred together and are
linked.

Occurred together: same app, environment and reason; first and last seen within seconds of each other; similar counts,
minute by minute.

Linked in one of these ways, each of which identifies one failure and not a kind of failure:

    one stack      the same exceptions, and the calls of one are the innermost calls of the other: caught further up
    a cause        the same, and the chain of one begins the chain of the other: logged, then raised as another one
    a library      a library's own log record, without frames of the app, of an exception in the app's chain
    a queue        raised again where the result of a task queue or a pool is read, with exactly the same text
    the same text  without a trace: exactly the same text from a logger and from one of its parents
    a quotation    without a trace: the text of an exception, logged by a function that the exception passed through

A link that fits two errors equally well is ambiguous, and these errors stay apart: the members of a set must all be
linked to each other.
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
from relay.traces.paths import KNOWN_PACKAGES, python_place

TOGETHER = timedelta(seconds=10)
"""How far apart two log records of one failure can be: a queue can lie between them."""
MAX_COMPARED = 100
"""The most entries that are compared, each with each."""

_QUEUE_PACKAGES = frozenset(("arq", "billiard", "celery", "distributed", "dramatiq", "huey", "joblib", "rq", "vine"))
_POOL_FILES = frozenset(("futures/_base.py", "futures/process.py", "multiprocessing/pool.py"))
"""Task queues and pools raise the exception of a task again: the innermost call is then in one of these."""

_MIN_QUOTATION = 8
"""Characters; a shorter text can occur in a message by chance."""


def correlate(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries in the same order with `echo_of` set again.

    Only entries with a sample are compared, at most MAX_COMPARED.
    """
    found = list(entries)
    heads = _heads([(each, each.sample) for each in found if each.sample][:MAX_COMPARED])
    return [_with_head(each, heads.get(each.group_id)) for each in found]


def _with_head(entry: Entry, head: int | None) -> Entry:
    return entry if entry.echo_of == head else replace(entry, echo_of=head)


class _Logged(NamedTuple):
    """An entry with its sample and the components of the sample."""

    entry: Entry
    report: Report
    components: Components


def _heads(entries: Sequence[tuple[Entry, Report]]) -> dict[int, int]:
    """Return for each echo the id of the group in whose entry it is shown."""

    @cache
    def logged(number: int) -> _Logged:
        entry, report = entries[number]
        return _Logged(entry, report, components(report))

    links = {number: {number} for number in range(len(entries))}
    for one, other in combinations(links, 2):
        if _occurred_together(entries[one][0], entries[other][0]) and _linked(logged(one), logged(other)):
            links[one].add(other)
            links[other].add(one)
    heads = {}
    for number, linked in links.items():
        if len(linked) > 1 and all(links[other] == linked for other in linked):
            heads[entries[number][0].group_id] = min(map(logged, linked), key=_rank).entry.group_id
    return {echo: head for echo, head in heads.items() if echo != head}


def _rank(logged: _Logged) -> tuple[int, int, int, int]:
    """Sort key, the most informative first: the worst level, then the longest chain, then the most frames."""
    return (-logged.entry.level, -len(logged.components.chain), -len(logged.components.frames), logged.entry.group_id)


# --- Occurred together ------------------------------------------------------------------------------------------------


def _occurred_together(one: Entry, other: Entry) -> bool:
    """Whether the counts and times alone allow that both entries come from the same events."""
    if (one.app, one.reason) != (other.app, other.reason) or _environments(one, other) > 1:
        return False
    (since, until, count), (its_since, its_until, its_count) = _window(one), _window(other)
    return (
        abs(since - its_since) <= TOGETHER
        and abs(until - its_until) <= TOGETHER
        and _comparable(count, its_count)
        and _similar_timelines(one.timeline, other.timeline)
    )


def _window(entry: Entry) -> tuple[datetime, datetime, int]:
    """Return the first time, the last time and the count: of the whole episode if the error has ended."""
    if entry.reason is Reason.ENDED:
        return entry.episode_since, entry.last_seen, entry.episode_occurrences
    return entry.since, entry.until, entry.occurrences


def _environments(one: Entry, other: Entry) -> int:
    return len({each.sample.environment for each in (one, other) if each.sample and each.sample.environment})


def _comparable(count: int, other: int) -> bool:
    """Whether the counts differ by at most 5 % or by one: the last mails of one group may still be on their way."""
    return min(count, other) > 0 and abs(count - other) <= max(1, max(count, other) // 20)


def _similar_timelines(one: Timeline | None, other: Timeline | None) -> bool:
    """Whether both timelines rise and fall together. Counts may be in the next step, since they came seconds later."""
    if one is None or other is None:
        return True
    if one.step != other.step:
        return False
    counts, its = _by_time(one), _by_time(other)
    apart = sum(abs(counts.get(at, 0) - its.get(at, 0)) for at in counts.keys() | its.keys())
    return apart <= max(2, max(sum(counts.values()), sum(its.values())) // 4)


def _by_time(timeline: Timeline) -> dict[datetime, int]:
    return {timeline.since + number * timeline.step: count for number, count in enumerate(timeline.counts) if count}


# --- Linked -----------------------------------------------------------------------------------------------------------


def _linked(one: _Logged, other: _Logged) -> bool:
    if one.components.parts == other.components.parts:  # a rule of the administrator has split this error
        return False
    if one.components.chain and other.components.chain:
        pairs = ((one, other), (other, one))
        return any(_begins_chain(a, b) or _is_library_log(a, b) or _is_raised_by_queue(a, b) for a, b in pairs)
    if one.components.chain or other.components.chain:
        line, raised = (other, one) if one.components.chain else (one, other)
        return _is_quotation(line, raised)
    return _is_same_text(one, other)


def _begins_chain(inner: _Logged, outer: _Logged) -> bool:
    """One stack, or a cause: the outer chain begins with the inner one, and each exception was raised at one place.

    An exception that has a cause in one chain and none in the other does not match.
    """
    chain, whole = inner.components.chain, outer.components.chain
    return len(chain) <= len(whole) and all(map(_same_raise, chain, whole))


def _same_raise(one: ChainedError, other: ChainedError) -> bool:
    if not _same_exception(one, other):
        return False
    frames, other_frames = one.error.frames, other.error.frames
    innermost_first = zip(reversed(frames), reversed(other_frames), strict=False)
    return bool(frames and other_frames) and all(frame.place == its.place for frame, its in innermost_first)


def _same_exception(one: ChainedError, other: ChainedError) -> bool:
    return bool(one.type) and (one.type, one.template.key) == (other.type, other.template.key)


def _is_library_log(log: _Logged, app: _Logged) -> bool:
    """Whether a library logged an exception of the app's chain, without any frame of the app in its own stack."""
    reported = log.components.chain[-1]
    return (
        _logged_by_library(log.report)
        and not _logged_by_library(app.report)
        and not any(map(_has_app_frame, log.components.chain))
        and any(_same_exception(reported, link) for link in app.components.chain)
    )


def _logged_by_library(report: Report) -> bool:
    """Whether a well-known library logged it, by the name of the logger or else by the file."""
    if report.logger:
        return report.logger.partition(".")[0] in KNOWN_PACKAGES
    place = python_place(report.location.rpartition(":")[0])
    return place.origin is Origin.LIBRARY and place.package in KNOWN_PACKAGES


def _is_library(frame: Frame) -> bool:
    return frame.origin is Origin.LIBRARY


def _is_raised_by_queue(received: _Logged, raised: _Logged) -> bool:
    """Whether a queue or a pool raised the exception again where its result was read, and its worker logged it."""
    again, original = received.components.chain[-1], raised.components.chain[-1]
    return (
        _same_exception(again, original)
        and again.error.message == original.error.message
        and _has_app_frame(again)
        and _has_app_frame(original)
        and _is_in_queue(again.error.frames[-1])
        and not _is_in_queue(original.error.frames[-1])
    )


def _has_app_frame(link: ChainedError) -> bool:
    return any(not _is_library(frame) for frame in link.error.frames)


def _is_in_queue(frame: Frame) -> bool:
    return _is_library(frame) and (frame.package in _QUEUE_PACKAGES or frame.file in _POOL_FILES)


def _is_quotation(line: _Logged, raised: _Logged) -> bool:
    """Whether `line` is `log.error("charging failed: %s", error)` in a function that `error` then passed through."""
    reported = raised.components.chain[-1]
    text = reported.error.message.strip()
    functions = {(frame.file, frame.function) for link in raised.components.chain for frame in link.calls.own}
    return len(text) >= _MIN_QUOTATION and text in line.report.message and line.components.location[:2] in functions


def _is_same_text(one: _Logged, other: _Logged) -> bool:
    """Whether both are exactly the same text, from a logger and from one of its parents."""
    text = one.report.message.strip()
    return bool(text) and text == other.report.message.strip() and _is_related(one.report.logger, other.report.logger)


def _is_related(logger: str, other: str) -> bool:
    """Whether one logger is a parent of the other, by the dots in the names."""
    parent, child = sorted((logger, other), key=len)
    return bool(parent) and (child.startswith(f"{parent}.") or parent == "root") and parent != child
