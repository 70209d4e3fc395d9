"""Lay out a digest for the mail templates: which errors in full, which on one line, which only as a total.

    Digest ─(Detail)─► Page of Items

Guarantee: whatever is left out for lack of space, the counts of the page add up exactly to those of the digest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from relay.compose.entries import shown_in_full, with_echoes
from relay.compose.item import Item, TextLimits, item
from relay.humanize import clock, counted, in_mails, number, zone_name
from relay.model import Books, Digest, DigestLimits, Entry, Level, MessageKind, Reason
from relay.text import one_line

_LINE_BYTES = 400
"""About how many bytes one line takes, encoded, in the text part and the HTML part together."""
_FEWEST_TRACE_LINES = 5
_MOST_NOTES, _FEWER_NOTES = 20, 4
_LONGEST_NOTE = 400

_PRIORITY = {
    Reason.NEW: 0,
    Reason.BACK: 0,
    Reason.SPIKE: 0,
    Reason.AGAIN: 1,
    Reason.ONGOING: 1,
    Reason.ENDED: 2,
}
"""Errors with a lower number come first; the count decides between errors with the same number."""

_WHY_NOW = {
    Reason.NEW: "{an_error} occurred that had not been reported before",
    Reason.BACK: "{an_error} is back after a long quiet period",
    Reason.SPIKE: "{an_error} occurs much more often than last reported",
    Reason.AGAIN: "{an_error} that had ended occurs again",
    Reason.ONGOING: "{an_error} is ongoing and its next report was due; reports become rarer the longer it lasts",
    Reason.ENDED: "{an_error} has ended, and this is its closing total",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much of a digest to show."""

    full: int
    """Errors shown in full."""
    lines: int
    """Errors shown on one line each."""
    trace_lines: int
    """Lines of a traceback or a message."""
    trace_width: int
    """Characters per line."""
    notes: int
    colours: bool
    """Whether tracebacks are coloured."""


def details(limits: DigestLimits, errors: int) -> Iterator[Detail]:
    """Yield the levels of detail to try until the mail fits: from all that `limits` allow down to the totals alone.

    Each level gives a shorter mail. Colours are dropped first, then lines of traces, errors in full, one-line errors
    and notes. `errors` is the number of errors of the digest.
    """
    most_lines = limits.max_size // 3 // _LINE_BYTES
    full, trace = min(limits.full_errors, errors), limits.trace_lines
    step = Detail(
        full=full,
        lines=min(errors - full, most_lines),
        trace_lines=trace,
        trace_width=1000,
        notes=_MOST_NOTES,
        colours=True,
    )
    yield step
    yield (step := replace(step, colours=False))
    while trace > _FEWEST_TRACE_LINES:
        trace = max(trace * 2 // 3, _FEWEST_TRACE_LINES)
        yield (step := replace(step, trace_lines=trace, trace_width=300))
    step = replace(step, trace_width=200, notes=_FEWER_NOTES)
    while full > 1:
        full = full * 5 // 6
        yield (step := replace(step, full=full, lines=min(errors - full, most_lines)))
    step = replace(step, full=0, lines=min(errors, most_lines))
    while step.lines or step.notes:
        yield step
        step = replace(step, lines=step.lines * 2 // 3, notes=step.notes // 2)
    yield step


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums of several errors."""

    errors: int
    """A failure that was logged in two places counts once."""
    occurrences: int
    logged: int
    """Log records: more than occurrences if a failure was logged in two places."""
    mails: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One digest as the templates get it. Texts are safe to show and bounded."""

    apps: str
    """The name of the app if there is only one, else e.g. `3 apps`; "" without errors."""
    one_app: bool
    marks: tuple[str, ...]
    """`Follow-up`, `CRITICAL`."""
    summary: str
    """`2 new, 1 ongoing`; `new` if there is only one error; "" without errors."""
    situation: str
    """`network down` if all errors show this situation; "" otherwise."""
    span: str
    """`1,316 occurrences in 1,310 mails, 14:02 to 14:06 CET`; `1,316 occurrences, logged 2,632 times` if some were
    logged in two places."""
    lead: Item | None
    """The error that the subject names."""
    notes: tuple[str, ...]
    full: tuple[Item, ...]
    lines: tuple[Item, ...]
    folded: Totals
    """The totals of the errors that are in neither, for lack of space."""
    total: Totals
    why_now: str
    missing: int
    """Mails that the books do not account for; negative if the books account for more than was received."""
    app_times: bool
    """Whether an error is shown with the time that the app wrote, by its own clock and in its own time zone."""
    colours: bool


def page(digest: Digest, detail: Detail, zone: tzinfo) -> Page:
    """Lay out `digest` with this much `detail`; times are shown in `zone`."""
    echoes = {entry.group_id: its for entry, its in with_echoes(digest.entries)}
    full, lines = _choose(digest.failures, detail)
    lead = min(digest.failures, key=_urgency, default=None)
    limits = TextLimits(lines=detail.trace_lines, width=detail.trace_width)
    items = [
        item(
            entry,
            place=place,
            at=digest.created_at,
            zone=zone,
            limits=limits if place <= len(full) else None,
            echoes=echoes[entry.group_id],
        )
        for place, entry in enumerate(full + lines, 1)
    ]
    total = _totals(digest.failures, echoes)
    apps = {entry.app for entry in digest.entries}
    return Page(
        apps=_apps(apps),
        one_app=len(apps) == 1,
        marks=_marks(digest),
        summary=_summary(digest.failures),
        situation=_situation(digest.entries),
        span=_span(digest, total, zone),
        lead=item(lead, place=1, at=digest.created_at, zone=zone, limits=None) if lead else None,
        notes=sentences(digest.notes, detail.notes),
        full=tuple(items[: len(full)]),
        lines=tuple(items[len(full) :]),
        folded=_subtract(total, _totals(full + lines, echoes)),
        total=total,
        app_times=any(entry.sample and entry.sample.time for entry in full),
        why_now=_why_now(digest, lead),
        missing=_missing(digest.books),
        colours=detail.colours,
    )


def sentences(texts: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the first `most` notes, each bounded, and a note about how many more there are."""
    shown = tuple(one_line(text, _LONGEST_NOTE) for text in texts[:most])
    left = len(texts) - len(shown)
    return (*shown, f"{counted(left, 'further note')} did not fit in this mail.") if left else shown


def _choose(entries: Sequence[Entry], detail: Detail) -> tuple[list[Entry], list[Entry]]:
    """Return the entries to show in full and those to show on one line, chosen by count (CRITICAL ones first).

    Each of the two lists is sorted by urgency.
    """
    ranked = shown_in_full(entries, detail.full + detail.lines)
    full, lines = ranked[: detail.full], ranked[detail.full :]
    return sorted(full, key=_urgency), sorted(lines, key=_urgency)


def _urgency(entry: Entry) -> tuple[bool, int, int]:
    return entry.level < Level.CRITICAL, _PRIORITY[entry.reason], -entry.occurrences


def _totals(failures: Sequence[Entry], echoes: Mapping[int, Sequence[Entry]]) -> Totals:
    entries = [entry for failure in failures for entry in (failure, *echoes[failure.group_id])]
    return Totals(
        errors=len(failures),
        occurrences=sum(failure.occurrences for failure in failures),
        logged=sum(entry.occurrences for entry in entries),
        mails=sum(entry.mails for entry in entries),
    )


def _subtract(total: Totals, part: Totals) -> Totals:
    return Totals(
        errors=total.errors - part.errors,
        occurrences=total.occurrences - part.occurrences,
        logged=total.logged - part.logged,
        mails=total.mails - part.mails,
    )


def _apps(apps: set[str]) -> str:
    if len(apps) > 1:
        return counted(len(apps), "app")
    return "".join(one_line(app, 60) or "(no name)" for app in apps)


def _marks(digest: Digest) -> tuple[str, ...]:
    catch_up = digest.kind is MessageKind.CATCH_UP
    critical = any(entry.level >= Level.CRITICAL for entry in digest.entries)
    return tuple(mark for mark, holds in (("Follow-up", catch_up), ("CRITICAL", critical)) if holds)


def _summary(entries: Sequence[Entry]) -> str:
    if len(entries) == 1:
        return entries[0].reason.value
    by_reason = Counter(entry.reason for entry in entries)
    return ", ".join(f"{number(by_reason[reason])} {reason}" for reason in _PRIORITY if by_reason[reason])


def _situation(entries: Sequence[Entry]) -> str:
    situations = {entry.sample.situation if entry.sample else None for entry in entries}
    shared = situations.pop() if len(situations) == 1 else None
    return shared.value if shared else ""


def _span(digest: Digest, total: Totals, zone: tzinfo) -> str:
    """Return how many occurrences there were, and from when to when."""
    count = counted(total.occurrences, "occurrence")
    if total.logged != total.occurrences:
        count += f", logged {counted(total.logged, 'time')}"
    if total.mails != total.logged:
        count += f" {in_mails(total.mails)}"
    occurred = [entry for entry in digest.entries if entry.occurrences]
    if not occurred:
        return "no occurrences since the last digest"
    first, last = (
        clock(at, zone, digest.created_at) for at in (min(e.since for e in occurred), max(e.until for e in occurred))
    )
    name = zone_name(digest.created_at.astimezone(zone))
    return f"{count}, {first} {name}" if first == last else f"{count}, {first} to {last} {name}"


def _missing(books: Books) -> int:
    rest = books.pending + books.muted + books.ignored + books.parked + books.undelivered
    return books.received - books.reported - rest


def _why_now(digest: Digest, lead: Entry | None) -> str:
    if digest.kind is MessageKind.CATCH_UP:
        return "earlier digests could not be sent to you; this one replaces all of them"
    if lead is None:
        return "the relay has a note for you"
    an_error = "a CRITICAL error" if lead.level >= Level.CRITICAL else "an error"
    return _WHY_NOW[lead.reason].format(an_error=an_error)
