"""Format numbers, times, durations, rates and bars (used by digests, pages and commands).

Pure functions. Every time is timezone-aware, and is shown in the given zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

BLOCKS = "▁▂▃▄▅▆▇█"


def number(value: int) -> str:
    """`7412` as `7,412`."""
    return f"{value:,}"


def counted(value: int, thing: str) -> str:
    """`1 mail`, `7,412 mails`."""
    return f"{value:,} {thing}{'' if value == 1 else 's'}"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def duration(span: timedelta) -> str:
    """Return the two largest units: `12 s`, `41 min`, `2 h 5 min`, `3 d 4 h`; seconds only below two minutes.

    Below one second: `less than 1 s`, because `0 s` would say that it took no time.
    """
    if span < timedelta(seconds=1):
        return "less than 1 s"
    seconds = round(span.total_seconds())
    if seconds < 120 and seconds != 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def rate(per_minute: float) -> str:
    """Return occurrences per minute in the most readable unit: `300/min`, `2.5/min`, `12/h`, `3/d`."""
    for value, unit in ((per_minute, "min"), (per_minute * 60, "h")):
        if value >= 9.95:
            return f"{value:,.0f}/{unit}"
        if value >= 0.95:
            return f"{value:.1f}".removesuffix(".0") + f"/{unit}"
    return f"{per_minute * 1440:.1f}".removesuffix(".0") + "/d"


def trend(now: float, before: float) -> str:
    """Return an arrow: up, down, or level (the change is at most a quarter)."""
    if now > before * 1.25:
        return "↑"
    return "↓" if now < before * 0.75 else "→"


def moment(at: datetime, zone: tzinfo) -> str:
    """`2026-03-03 14:02:07 CET`."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {zone_name(local)}"


def clock(at: datetime, zone: tzinfo, today: datetime) -> str:
    """Return hour and minute, `14:02`; on another day than `today` with the date, `2026-03-02 14:02`."""
    local = at.astimezone(zone)
    same = local.date() == today.astimezone(zone).date()
    return f"{local:%H:%M}" if same else f"{local:%Y-%m-%d %H:%M}"


def zone_name(local: datetime) -> str:
    """Return the zone's abbreviation at this time: `CET`; `UTC-03` if it only has an offset."""
    name = local.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def blocks(counts: Sequence[int]) -> str:
    """Return one block for each count; its height is the share of the highest count. The lowest block means 0."""
    highest = max(counts, default=0)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[-(-steps * count // highest) if count > 0 else 0] for count in counts)


def in_mails(mails: int) -> str:
    """Return in how many mails errors came: `in 1 mail`. Without one, they were logged in mails about other errors."""
    return f"in {counted(mails, 'mail')}" if mails else "in mails about other errors"
