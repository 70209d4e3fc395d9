"""What the mail templates are given of a digest: which errors in full, which as one line, which only summed up.

    Digest ─(Detail)─► Page of Items

Guarantee: whatever is left out for want of room, the counts of a page add up to the
digest's own, exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from relay.compose.entries import shown_in_full, with_echoes
from relay.compose.item import Item, TextLimits, item
from relay.humanize import clock, counted, number, zone_name
from relay.model import Books, Digest, DigestLimits, Entry, Level, MessageKind, Reason
from relay.text import one_line

_LINE_BYTES = 400
"""About what one line takes, encoded, in both alternatives together."""
_FEWEST_TRACE_LINES = 5
_MOST_NOTES, _FEWER_NOTES = 20, 4
_LONGEST_NOTE = 400

_TIERS = {
    Reason.NEW: 0,
    Reason.BACK: 0,
    Reason.SPIKE: 0,
    Reason.AGAIN: 1,
    Reason.ONGOING: 1,
    Reason.ENDED: 2,
}
"""What is news comes first; within a tier the count decides."""

_WHY_NOW = {
    Reason.NEW: "an error came in that nobody had been told of",
    Reason.BACK: "an error is back after a long quiet",
    Reason.SPIKE: "an error comes in much faster than last reported",
    Reason.AGAIN: "an error that had ended goes on",
    Reason.ONGOING: "an error goes on and its next report was due; reports grow rarer the longer it lasts",
    Reason.ENDED: "an error has ended, and this is its closing total",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much of a digest to show: errors in full, errors as a line each, lines of a trace or message, and so on."""

    full: int
    lines: int
    trace_lines: int
    trace_width: int
    notes: int
    colours: bool
    """Whether tracebacks are coloured."""


def details(limits: DigestLimits, errors: int) -> Iterator[Detail]:
    """From all that `limits` allow for `errors` errors down to bare totals: what to try until the mail fits.

    Colours go first, then lines of traces, then errors in full, then lines, then notes.
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
    """Several errors summed up."""

    errors: int
    """What was logged in two places is one."""
    occurrences: int
    logged: int
    """Records in the logs: more than occurrences where something was logged in two places."""
    mails: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One digest, laid out. Texts are safe to show and bounded."""

    apps: str
    """The app's name where it is one, else e.g. `3 apps`; "" where there is no error at all."""
    one_app: bool
    marks: tuple[str, ...]
    """`Follow-up`, `CRITICAL`."""
    summary: str
    """`2 new, 1 ongoing`; `new` where there is one error only; "" where there is none."""
    situation: str
    """`network down` where all errors look like this one; "" where they do not."""
    span: str
    """`1,316 occurrences in 1,310 mails, 14:02 to 14:06 CET`; `1,316 occurrences, logged 2,632 times` where some were
    logged in two places."""
    lead: Item | None
    """The error that the subject names."""
    notes: tuple[str, ...]
    full: tuple[Item, ...]
    lines: tuple[Item, ...]
    folded: Totals
    """The errors that are in neither, for want of room."""
    total: Totals
    why_now: str
    missing: int
    """Mails the books cannot account for; below zero where they account for more than came in."""
    colours: bool


def page(digest: Digest, detail: Detail, zone: tzinfo) -> Page:
    """Lay out `digest` in `detail`, its moments as clocks in `zone` show them."""
    echoes = {entry.group_id: its for entry, its in with_echoes(digest.entries)}
    full, lines = _chosen(digest.failures, detail)
    lead = min(digest.failures, key=_urgency, default=None)
    room = TextLimits(lines=detail.trace_lines, width=detail.trace_width)
    worded = [
        item(
            entry,
            place=place,
            at=digest.created_at,
            zone=zone,
            room=room if place <= len(full) else None,
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
        lead=item(lead, place=1, at=digest.created_at, zone=zone, room=None) if lead else None,
        notes=sentences(digest.notes, detail.notes),
        full=tuple(worded[: len(full)]),
        lines=tuple(worded[len(full) :]),
        folded=_less(total, _totals(full + lines, echoes)),
        total=total,
        why_now=_why_now(digest, lead),
        missing=_missing(digest.books),
        colours=detail.colours,
    )


def sentences(texts: Sequence[str], most: int) -> tuple[str, ...]:
    """The first `most` of the relay's own sentences, each bounded, and how many more there were."""
    shown = tuple(one_line(text, _LONGEST_NOTE) for text in texts[:most])
    left = len(texts) - len(shown)
    return (*shown, f"{counted(left, 'further note')} had no room here.") if left else shown


def _chosen(entries: Sequence[Entry], detail: Detail) -> tuple[list[Entry], list[Entry]]:
    """Those to show in full and as a line: chosen by count (CRITICAL first), each shown with what is news first."""
    ranked = shown_in_full(entries, detail.full + detail.lines)
    full, lines = ranked[: detail.full], ranked[detail.full :]
    return sorted(full, key=_urgency), sorted(lines, key=_urgency)


def _urgency(entry: Entry) -> tuple[bool, int, int]:
    return entry.level < Level.CRITICAL, _TIERS[entry.reason], -entry.occurrences


def _totals(failures: Sequence[Entry], echoes: Mapping[int, Sequence[Entry]]) -> Totals:
    entries = [entry for failure in failures for entry in (failure, *echoes[failure.group_id])]
    return Totals(
        errors=len(failures),
        occurrences=sum(failure.occurrences for failure in failures),
        logged=sum(entry.occurrences for entry in entries),
        mails=sum(entry.mails for entry in entries),
    )


def _less(total: Totals, part: Totals) -> Totals:
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
    follow_up = digest.kind is MessageKind.CATCH_UP
    critical = any(entry.level >= Level.CRITICAL for entry in digest.entries)
    return tuple(mark for mark, holds in (("Follow-up", follow_up), ("CRITICAL", critical)) if holds)


def _summary(entries: Sequence[Entry]) -> str:
    if len(entries) == 1:
        return entries[0].reason.value
    by_reason = Counter(entry.reason for entry in entries)
    return ", ".join(f"{number(by_reason[reason])} {reason}" for reason in _TIERS if by_reason[reason])


def _situation(entries: Sequence[Entry]) -> str:
    situations = {entry.sample.situation if entry.sample else None for entry in entries}
    shared = situations.pop() if len(situations) == 1 else None
    return shared.value if shared else ""


def _span(digest: Digest, total: Totals, zone: tzinfo) -> str:
    """How many came in between when and when."""
    count = counted(total.occurrences, "occurrence")
    if total.logged != total.occurrences:
        count += f", logged {counted(total.logged, 'time')}"
    if total.mails != total.logged:
        count += f" in {counted(total.mails, 'mail')}"
    told = [entry for entry in digest.entries if entry.occurrences]
    if not told:
        return "no occurrences since the last digest"
    first, last = (
        clock(at, zone, digest.created_at) for at in (min(e.since for e in told), max(e.until for e in told))
    )
    name = zone_name(digest.created_at.astimezone(zone))
    return f"{count}, {first} {name}" if first == last else f"{count}, {first} to {last} {name}"


def _missing(books: Books) -> int:
    kept = books.pending + books.muted + books.ignored + books.parked + books.undelivered
    return books.received - books.reported - kept


def _why_now(digest: Digest, lead: Entry | None) -> str:
    if digest.kind is MessageKind.CATCH_UP:
        return "earlier digests could not be handed over; this one stands for all of them"
    if lead is None:
        return "the relay has something to say"
    return "a CRITICAL error came in" if lead.level >= Level.CRITICAL else _WHY_NOW[lead.reason]
