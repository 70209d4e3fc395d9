"""One error of a digest, put into words: what `page` hands to the mail templates for each.

Guarantee: every text is safe to show (`wording.plain`) and bounded; what is not known is left
out rather than shown empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from relay.humanize import blocks, clock, counted, duration, moment, number, rate, trend
from relay.model import Entry, Level, Reason, Report, Timeline
from relay.text import cut_lines, one_line

Rows = tuple[tuple[str, str], ...]
"""Labels and values, in the order in which they are shown."""

_FAR = 10_000
"""From so many times a rate on, how many no longer matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How much of a message and of a traceback to show."""

    lines: int
    """Of each of the two."""
    width: int
    """Characters of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The course of an error as text: `blocks` from `start` to `end`, each of them `each` long."""

    blocks: str
    start: str
    end: str
    each: str
    most: str
    """The highest count of one block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One error as the templates see it: everything is text, ready to be shown."""

    number: int
    """Its place in the digest, from 1."""
    id: int
    """For `relay show` and `relay mute`."""
    reason: str
    """`new`, `ongoing`, `again`, `spike`, `back` or `ended`."""
    critical: bool
    app: str
    title: str
    count: str
    """`1,204×`; for an error that has ended its closing total, `7,412`."""
    pace: str
    """`300/min ↑`; for an error that has ended `in 41 min`; "" for a single occurrence."""
    speed: str
    """Both: `1,204×, 300/min ↑` or `7,412 in 41 min`; in a line also the counts of other places it was logged in."""
    why: str
    """The reason in a few words more: `back, last seen 2026-02-20 14:08:02 CET (11 d before)`."""
    news: Rows
    """The situation where there is a sign of one; count, rate, first and last seen, ID."""
    bar: Bar | None
    origin: Rows
    """App, environment, host, release, process, logger, as far as known."""
    request: Rows
    """The request that the sample came up in, as far as known: method and URL, endpoint, user and so on."""
    report: Rows
    """The labels of the documented mail format, as far as known."""
    message: str
    trace: str


def item(
    entry: Entry, *, place: int, at: datetime, zone: tzinfo, room: TextLimits | None, echoes: Sequence[Entry] = ()
) -> Item:
    """Word `entry`, the digest's error number `place`, as of `at`; without `room` its report is left out.

    `echoes` are the same failure, logged in other places.
    """
    sample = entry.sample if room else None
    count, pace, speed = _speed(entry)
    return Item(
        number=place,
        id=entry.group_id,
        reason=entry.reason.value,
        critical=entry.level >= Level.CRITICAL,
        app=one_line(entry.app, 60) or "(no name)",
        title=one_line(entry.title, 120) or "(no title)",
        count=count,
        pace=pace,
        speed=speed if room else speed + _also_in_short(echoes),
        why=_why(entry, zone),
        news=_situation(sample) + _news(entry, zone) + _also(echoes),
        bar=_bar(entry.timeline, at, zone) if entry.timeline and room else None,
        origin=_origin(entry, sample),
        request=_known(sample.request) if sample else (),
        report=_report(entry, sample) if room else (),
        message=_message(sample, room),
        trace=_trace(sample, room),
    )


def _speed(entry: Entry) -> tuple[str, str, str]:
    if entry.reason is Reason.ENDED:
        count, pace = number(entry.episode_occurrences), f"in {duration(_episode(entry))}"
        return count, pace, f"{count} {pace}"
    count = f"{number(entry.occurrences)}×"
    pace = f"{rate(entry.rate)} {trend(entry.rate, entry.rate_before)}" if entry.occurrences > 1 else ""
    return count, pace, ", ".join(filter(None, (count, pace)))


def _episode(entry: Entry) -> timedelta:
    return entry.last_seen - entry.episode_since


def _why(entry: Entry, zone: tzinfo) -> str:
    match entry.reason:
        case Reason.NEW:
            return "new"
        case Reason.ONGOING:
            return f"ongoing for {duration(_episode(entry))}, since {moment(entry.episode_since, zone)}"
        case Reason.SPIKE:
            return f"spike: {_times(entry)}the rate last reported"
        case Reason.ENDED:
            return f"ended: {_speed(entry)[2]}, {_peak(entry)}".removesuffix(", ")
        case Reason.AGAIN | Reason.BACK:
            return f"{entry.reason}{_last_seen_before(entry, zone)}"


def _peak(entry: Entry) -> str:
    return f"peak {number(entry.peak)}/min, " if entry.peak else ""


def _times(entry: Entry) -> str:
    if entry.rate > _FAR * entry.rate_before:
        return "far above "
    return f"{number(round(entry.rate / entry.rate_before))} times " if entry.rate_before > 0 else ""


def _last_seen_before(entry: Entry, zone: tzinfo) -> str:
    if entry.seen_before is None:
        return ""
    quiet = duration(entry.since - entry.seen_before)
    return f", last seen {moment(entry.seen_before, zone)} ({quiet} before)"


def _situation(sample: Report | None) -> Rows:
    """What it looks like, with the reason in brackets: it is a hint."""
    if sample is None or sample.situation is None:
        return ()
    reason = one_line(sample.situation_reason, 160)
    return (("Situation", f"{sample.situation} ({reason})" if reason else sample.situation.value),)


def _news(entry: Entry, zone: tzinfo) -> Rows:
    return (
        ("Count", _count(entry)),
        ("Rate", _rate(entry)),
        ("First seen", moment(entry.first_seen, zone)),
        ("Last seen", moment(entry.last_seen, zone)),
        ("ID", str(entry.group_id)),
    )


def _also(echoes: Sequence[Entry]) -> Rows:
    """Where else it was logged and how often: not to be added to the count, since it is the same failure."""
    return tuple(("Also logged", f"{_speed(echo)[0]} {_where(echo)} (ID {echo.group_id})") for echo in echoes)


def _also_in_short(echoes: Sequence[Entry]) -> str:
    """The same for a line."""
    also = ", ".join(f"{_speed(echo)[0]} ID {echo.group_id}" for echo in echoes[:3])
    return f" (also logged: {also})" if also else ""


def _where(echo: Entry) -> str:
    sample = echo.sample
    at, by = (one_line(sample.location, 120), one_line(sample.logger, 60)) if sample else ("", "")
    words = " ".join(filter(None, (f"at {at}" if at else "", f"by {by}" if by else "")))
    return words or f"as {one_line(echo.title, 120)}"


def _count(entry: Entry) -> str:
    """The count since the last digest, in mails too where they differ, and in all where that is more."""
    count = number(entry.occurrences)
    if entry.mails != entry.occurrences:
        count += f" (in {counted(entry.mails, 'mail')})"
    span = duration(entry.until - entry.since)
    if entry.occurrences > 1:
        count += f" in {span}"
    if entry.total_occurrences != entry.occurrences:
        count += f" since the last digest, {number(entry.total_occurrences)} in all"
    return count


def _rate(entry: Entry) -> str:
    if entry.reason is Reason.ENDED:
        minutes = max(_episode(entry) / timedelta(minutes=1), 1)
        return f"{rate(entry.episode_occurrences / minutes)} on average, {_peak(entry)}now none"
    before = f" (before: {rate(entry.rate_before)})" if entry.rate_before > 0 else ""
    return f"{rate(entry.rate)} {trend(entry.rate, entry.rate_before)}{before}"


def _bar(course: Timeline, at: datetime, zone: tzinfo) -> Bar | None:
    counts = course.counts[-60:]
    if not any(counts):
        return None
    since = course.since + course.step * (len(course.counts) - len(counts))
    return Bar(
        blocks=blocks(counts),
        start=clock(since, zone, at),
        end=clock(since + course.step * len(counts), zone, at),
        each=duration(course.step),
        most=number(max(counts)),
    )


def _origin(entry: Entry, sample: Report | None) -> Rows:
    rows = [("App", entry.app)]
    if sample:
        rows += [
            ("Environment", sample.environment),
            ("Host", sample.host),
            ("Release", sample.release),
            ("Process", _process(sample)),
            ("Logger", sample.logger),
            ("Dropped", f"{counted(sample.dropped, 'record')} by the app itself" if sample.dropped else ""),
        ]
    return _known(rows)


def _process(sample: Report) -> str:
    """`4711 (ForkPoolWorker-1), thread error-checker`; the main thread goes without saying."""
    thread = f"thread {sample.thread}" if sample.thread not in ("", "MainThread") else ""
    return ", ".join(filter(None, (sample.process, thread)))


def _report(entry: Entry, sample: Report | None) -> Rows:
    if sample is None:
        return (("Message type", entry.level.name),)
    return _known(
        [
            ("Message type", sample.level.name),
            ("Location", sample.location),
            ("Module", sample.module),
            ("Function", sample.function),
            ("Time", sample.time),
        ]
    )


def _known(rows: Iterable[tuple[str, str]]) -> Rows:
    return tuple((label, text) for label, value in rows if (text := one_line(value, 240)))


def _message(sample: Report | None, room: TextLimits | None) -> str:
    if room is None:
        return ""
    if sample is None:
        return "(no mail about it is kept)"
    text = cut_lines(sample.message, room.lines, head=room.lines * 2 // 3, width=room.width)
    return text or ("" if sample.trace else f"({_emptiness(sample)})")


def _emptiness(sample: Report) -> str:
    return "there was no room to keep the text of this mail" if sample.cut else "the mail had no text"


def _trace(sample: Report | None, room: TextLimits | None) -> str:
    if sample is None or room is None:
        return ""
    return cut_lines(sample.trace, room.lines, head=room.lines // 4, width=room.width)
