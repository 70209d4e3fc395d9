"""How the relay writes numbers, moments, durations, rates and bars, and how it makes a stranger's text fit to be shown.

Used by `item`, `page` and the mail templates, so that the same thing is said in the same words
everywhere. Guarantee: what leaves `plain` and `one_line` encodes to UTF-8 and can neither
move the cursor, nor reverse the reading order, nor (`one_line`) begin another line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

BLOCKS = "▁▂▃▄▅▆▇█"

_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_UNSAFE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls but tab, newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the reading order (Unicode Annex 9)
    "\ud800-\udfff\ufffe\uffff]"  # lone surrogates and non-characters: no UTF-8, no HTML
)


def plain(text: str) -> str:
    r"""`text` with every line end as a newline and every dangerous character made visible, e.g. as `\x1b`."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], _NEWLINES.sub("\n", text))


def one_line(text: str, limit: int = 200) -> str:
    """`text` on one line with single spaces, at most `limit` characters: cut at its end, with an ellipsis."""
    return cut(" ".join(plain(text[: 8 * limit]).split()), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; an ellipsis stands for the rest."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def cut_inside(text: str, limit: int) -> str:
    """Like `cut`, but it is the middle that goes: both ends tell more than it does."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 1].rstrip()}…{text[len(text) - tail :].lstrip()}"


def cut_lines(text: str, lines: int, *, head: int, width: int) -> str:
    """At most `lines` lines of `text`, the first `head` and the rest from its end, each of at most `width` characters.

    A line between the two says how many were left out; it counts as one of `lines`.
    """
    every = text.strip("\r\n").splitlines()
    if len(every) > lines:
        tail = max(lines - head - 1, 0)
        gone = len(every) - head - tail
        every = [*every[:head], f"… {counted(gone, 'line')} left out …", *every[len(every) - tail :]]
    return "\n".join(cut(plain(line[: 2 * width]).rstrip(), width) for line in every)


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
    """The two largest units of it: `12 s`, `41 min`, `2 h 5 min`, `3 d 4 h`; seconds only below two minutes."""
    seconds = max(round(span.total_seconds()), 0)
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
    """Occurrences a minute in the unit that reads best: `300/min`, `2.5/min`, `12/h`, `3/d`."""
    for value, unit in ((per_minute, "min"), (per_minute * 60, "h")):
        if value >= 9.95:
            return f"{value:,.0f}/{unit}"
        if value >= 0.95:
            return f"{value:.1f}".removesuffix(".0") + f"/{unit}"
    return f"{per_minute * 1440:.1f}".removesuffix(".0") + "/d"


def trend(now: float, before: float) -> str:
    """An arrow: up, down, or level (within a quarter of what it was)."""
    if now > before * 1.25:
        return "↑"
    return "↓" if now < before * 0.75 else "→"


def moment(at: datetime, zone: tzinfo) -> str:
    """`2026-03-03 14:02:07 CET`."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {zone_name(local)}"


def clock(at: datetime, zone: tzinfo, today: datetime) -> str:
    """Hour and minute, `14:02`; on another day than `today` with its date before it, `2026-03-02 14:02`."""
    local = at.astimezone(zone)
    same = local.date() == today.astimezone(zone).date()
    return f"{local:%H:%M}" if same else f"{local:%Y-%m-%d %H:%M}"


def zone_name(local: datetime) -> str:
    """The zone's abbreviation at this moment: `CET`; `UTC-03` where it has none but its offset."""
    name = local.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def blocks(counts: Sequence[int]) -> str:
    """One block for each count, as high as its share of the highest; the lowest block is for none at all."""
    highest = max(counts, default=0)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[-(-steps * count // highest) if count > 0 else 0] for count in counts)


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def padded(text: str, width: int) -> str:
    """`text` cut or filled with spaces to exactly `width` columns."""
    while columns(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    return text + " " * (width - columns(text))
