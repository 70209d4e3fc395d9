"""One error of a digest as text: what `page` passes to the mail templates for each error.

Guarantee: every text is safe to show (`relay.text.plain`) and bounded. Unknown values are left out, not shown empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from relay.compose.context import rest_of, telling_subject
from relay.humanize import blocks, clock, counted, duration, in_mails, moment, number, rate, trend
from relay.model import Entry, Level, Reason, Report, Timeline
from relay.text import cut_lines, one_line

Rows = tuple[tuple[str, str], ...]
"""Labels and values, in the order in which they are shown."""

RATE_WINDOW = timedelta(minutes=1)
"""A shorter time has no rate: 42 occurrences in 6 s are shown as that, and not as 42 or 420 a minute."""
_FAR_ABOVE = 10_000
"""A spike of more than this many times the last rate is shown as "far above" it, without a number."""


_MAX_CONTEXT = 20
"""Lines of the rest of a mail in a digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How much of a message and of a traceback to show."""

    lines: int
    """Lines of each."""
    width: int
    """Characters per line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The timeline of an error as text: `blocks` from `start` to `end`; each block covers a time of `each`."""

    blocks: str
    start: str
    end: str
    each: str
    most: str
    """The highest count of one block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One error as the templates get it: text that is ready to be shown."""

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
    """`1,204×`; for an error that has ended the closing total, `7,412`."""
    pace: str
    """`300/min ↑`; `in 6 s` below one minute; `in 41 min` for an error that has ended; "" for a single occurrence."""
    speed: str
    """Both: `1,204×, 300/min ↑`, `42× in 6 s`, `7,412 in 41 min`. In a one-line entry also the counts of its echoes."""
    why: str
    """The reason with details: `back, last seen 2026-02-20 14:08:02 CET (11 d before)`."""
    news: Rows
    """The situation if one was recognised; count, rate, first and last seen, ID; where else it was logged."""
    bar: Bar | None
    origin: Rows
    """App, environment, host, release, process, logger and dropped records, if known."""
    request: Rows
    """The request in which the sample was logged, if known: method and URL, endpoint, user and so on."""
    report: Rows
    """The labels of the documented mail format, if known."""
    message: str
    trace: str
    context: str
    """The rest of the mail, if message and trace are only a part of it."""


def item(
    entry: Entry, *, place: int, at: datetime, zone: tzinfo, limits: TextLimits | None, echoes: Sequence[Entry] = ()
) -> Item:
    """Return the texts of `entry`, error number `place` of the digest, as of `at`.

    With `limits` None the item is for a line: sample, timeline and report are left out. `echoes` are the entries of the
    same failure, logged in other places.
    """
    sample = entry.sample if limits else None
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
        speed=speed if limits else speed + _also_in_short(echoes),
        why=_why(entry, zone),
        news=_situation(sample) + _news(entry, zone) + _also(echoes),
        bar=_bar(entry.timeline, at, zone) if entry.timeline and limits else None,
        origin=_origin(entry, sample),
        request=_known(sample.request) if sample else (),
        report=_report(entry, sample) if limits else (),
        message=_message(sample, limits),
        trace=_trace(sample, limits),
        context=_context(sample, limits),
    )


def _speed(entry: Entry) -> tuple[str, str, str]:
    if entry.reason is Reason.ENDED:
        count, pace = number(entry.episode_occurrences), f"in {duration(_episode(entry))}"
        return count, pace, f"{count} {pace}"
    count = f"{number(entry.occurrences)}×"
    if entry.occurrences <= 1:
        return count, "", count
    if _window(entry) < RATE_WINDOW:
        pace = f"in {duration(_window(entry))}"
        return count, pace, f"{count} {pace}"
    pace = f"{rate(entry.rate)} {trend(entry.rate, entry.rate_before)}"
    return count, pace, f"{count}, {pace}"


def _window(entry: Entry) -> timedelta:
    return entry.until - entry.since


def _episode(entry: Entry) -> timedelta:
    return entry.last_seen - entry.episode_since


def _why(entry: Entry, zone: tzinfo) -> str:
    match entry.reason:
        case Reason.NEW:
            return "new"
        case Reason.ONGOING:
            return f"ongoing for {duration(_episode(entry))}, since {moment(entry.episode_since, zone)}"
        case Reason.SPIKE:
            if entry.exceeded is not None:
                return f"spike: more than {number(entry.exceeded)} an hour, so its mute is over"
            return f"spike: {_times(entry)}the last reported rate"
        case Reason.ENDED:
            return f"ended: {_speed(entry)[2]}, {_peak(entry)}".removesuffix(", ")
        case Reason.AGAIN | Reason.BACK:
            return f"{entry.reason}{_last_seen_before(entry, zone)}"


def _peak(entry: Entry) -> str:
    return f"peak {number(entry.peak)}/min, " if entry.peak and _episode(entry) >= RATE_WINDOW else ""


def _times(entry: Entry) -> str:
    if entry.rate > _FAR_ABOVE * entry.rate_before:
        return "far above "
    return f"{number(round(entry.rate / entry.rate_before))} times " if entry.rate_before > 0 else ""


def _last_seen_before(entry: Entry, zone: tzinfo) -> str:
    if entry.seen_before is None:
        return ""
    quiet = duration(entry.since - entry.seen_before)
    return f", last seen {moment(entry.seen_before, zone)} ({quiet} before)"


def _situation(sample: Report | None) -> Rows:
    """Return the recognised situation, with the text that points to it in brackets."""
    if sample is None or sample.situation is None:
        return ()
    reason = one_line(sample.situation_reason, 160)
    return (("Situation", f"{sample.situation} ({reason})" if reason else sample.situation.value),)


def _news(entry: Entry, zone: tzinfo) -> Rows:
    rows = (
        ("Count", _count(entry)),
        ("Muted", _muted(entry)),
        ("Rate", _rate(entry)),
        ("First seen", moment(entry.first_seen, zone)),
        ("Last seen", moment(entry.last_seen, zone)),
        ("ID", str(entry.group_id)),
    )
    return tuple((label, value) for label, value in rows if value)


def _muted(entry: Entry) -> str:
    """Return how much of a closing total was muted; "" if nothing was."""
    if entry.reason is not Reason.ENDED or not entry.episode_muted:
        return ""
    return f"{number(entry.episode_muted)} of {number(entry.episode_occurrences)}"


def _also(echoes: Sequence[Entry]) -> Rows:
    """Return where else the failure was logged and how often. These counts are not part of the total."""
    return tuple(("Also logged", f"{_speed(echo)[0]} {_where(echo)} (ID {echo.group_id})") for echo in echoes)


def _also_in_short(echoes: Sequence[Entry]) -> str:
    """Return the same for a one-line entry; three places at most."""
    also = ", ".join(f"{_speed(echo)[0]} ID {echo.group_id}" for echo in echoes[:3])
    return f" (also logged: {also})" if also else ""


def _where(echo: Entry) -> str:
    sample = echo.sample
    at, by = (one_line(sample.location, 120), one_line(sample.logger, 60)) if sample else ("", "")
    words = " ".join(filter(None, (f"at {at}" if at else "", f"by {by}" if by else "")))
    return words or f"as {one_line(echo.title, 120)}"


def _count(entry: Entry) -> str:
    """Return the count since the last digest, with the number of mails and the overall total where they differ."""
    count = number(entry.occurrences)
    if entry.mails != entry.occurrences:
        count += f" ({in_mails(entry.mails)})"
    if entry.occurrences > 1:
        count += f" in {duration(_window(entry))}"
    if entry.total_occurrences != entry.occurrences:
        since = "" if entry.reason is Reason.NEW else " since the last digest"
        count += f"{since}, {number(entry.total_occurrences)} in all"
    return count


def _rate(entry: Entry) -> str:
    """Return the rate, and the one that was last reported; "" if the occurrences are too close together for any."""
    if entry.reason is Reason.ENDED:
        if _episode(entry) < RATE_WINDOW:
            return "now none"
        minutes = _episode(entry) / timedelta(minutes=1)
        return f"{rate(entry.episode_occurrences / minutes)} on average, {_peak(entry)}now none"
    before = f" (before: {rate(entry.rate_before)})" if entry.rate_before > 0 else ""
    if _window(entry) < RATE_WINDOW:
        return f"too few seconds for a rate{before}" if before else ""
    return f"{rate(entry.rate)} {trend(entry.rate, entry.rate_before)}{before}"


def _bar(timeline: Timeline, at: datetime, zone: tzinfo) -> Bar | None:
    """Return the last 60 steps of the timeline as blocks, or None if they are all empty."""
    counts = timeline.counts[-60:]
    if not any(counts):
        return None
    since = timeline.since + timeline.step * (len(timeline.counts) - len(counts))
    return Bar(
        blocks=blocks(counts),
        start=clock(since, zone, at),
        end=clock(since + timeline.step * len(counts), zone, at),
        each=duration(timeline.step),
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
            ("Subject", telling_subject(sample)),
            ("Dropped", f"{counted(sample.dropped, 'record')} by the app itself" if sample.dropped else ""),
        ]
    return _known(rows)


def _process(sample: Report) -> str:
    """Return e.g. `4711 (ForkPoolWorker-1), thread error-checker`; the main thread is not named."""
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


def _message(sample: Report | None, limits: TextLimits | None) -> str:
    if limits is None:
        return ""
    if sample is None:
        return "(no mail of this error is stored)"
    text = cut_lines(sample.message, limits.lines, head=limits.lines * 2 // 3, width=limits.width)
    return text or ("" if sample.trace else f"({_why_empty(sample)})")


def _context(sample: Report | None, limits: TextLimits | None) -> str:
    if sample is None or limits is None:
        return ""
    lines = min(limits.lines, _MAX_CONTEXT)
    return cut_lines(rest_of(sample), lines, head=lines // 2, width=limits.width)


def _why_empty(sample: Report) -> str:
    return "there was no space to store the text of this mail" if sample.cut else "the mail had no text"


def _trace(sample: Report | None, limits: TextLimits | None) -> str:
    if sample is None or limits is None:
        return ""
    return cut_lines(sample.trace, limits.lines, head=limits.lines // 4, width=limits.width)
