"""Settings of the pure core as plain values: when to report, how much, which app, which route.

`relay.config` reads `relay.toml` and the environment, checks the settings and builds these values. Texts that match
are shell globs that ignore case; `*` matches everything. docs/configuration.md gives the reason for each default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from relay.model.mail import Level
from relay.model.rule import Action


def _minutes(*numbers: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=number) for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When an error is reported."""

    first_wait: timedelta = timedelta(seconds=10)
    """From the first mail of a new error to its digest, so that errors with one cause arrive in one mail."""
    interval: timedelta = timedelta(minutes=5)
    """The least time between two digests of one route. CRITICAL skips it, and news can come sooner (`news_gaps`)."""
    news_gaps: tuple[timedelta, ...] = (timedelta(seconds=10), timedelta(seconds=30), *_minutes(1, 2, 5))
    """The growing gaps between the digests of one route that carry news; the last one repeats. Never empty."""
    news_calm: timedelta = timedelta(minutes=15)
    """After this long without a digest that carries news, the gaps start again with the first one."""
    steps: tuple[timedelta, ...] = _minutes(5, 10, 20, 30, 60, 240)
    """The growing gaps between the digests about one error; the last one repeats. Never empty."""
    spike_factor: float = 10.0
    """A spike has at least this many times the rate that was last reported."""
    spike_min: int = 20
    """A spike has at least this many occurrences."""
    ended_after: timedelta = timedelta(minutes=15)
    """An error that is quiet for this long has ended."""
    ended_min: int = 100
    """The closing total of an episode gets a mail of its own only from this many occurrences on."""
    back_after: timedelta = timedelta(hours=24)
    """An error that comes back after this long is treated like a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most mails that one recipient gets (a token bucket). Each number is at least 1, `burst` at least 2."""

    per_hour: int = 20
    """Tokens that are added per hour."""
    burst: int = 5
    """The size of the bucket in tokens."""
    per_day: int = 300
    """The most mails on one day (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a message is tried again."""

    pauses: tuple[timedelta, ...] = _minutes(1, 2, 4, 8, 16, 30)
    """The pauses after the first, second, … failure; the last one repeats. Never empty."""
    give_up_after: timedelta = timedelta(days=5)
    """How long to try a message that the upstream refuses temporarily: the sum of the pauses between its tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestLimits:
    """The most that one digest may contain."""

    max_size: int = 90 * 1000
    """Bytes of the whole mail as sent. The totals alone take up to 10,000."""
    full_errors: int = 20
    """Errors that are shown in full."""
    trace_lines: int = 60
    """Lines of one traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who gets the digests about which errors, and when. A report goes to the first route whose conditions all hold."""

    name: str
    recipients: tuple[str, ...]
    app: str = "*"
    level: Level = Level.DEBUG
    """This level and worse."""
    logger: str = "*"
    environment: str = "*"
    situation: str = "*"
    """For example `network down`. Only `*` matches a report without a situation."""
    pattern: str = "*"
    """Matched against the title and the first line of the message."""
    timing: Timing = field(default_factory=Timing)
    learn: bool = True
    """Whether free words are learned from its mails (`grouping.learning`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRule:
    """Mails whose sender and subject match are from the app `name`."""

    name: str
    sender: str = "*"
    subject: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingRule:
    """A rule of the administrator: treat the matching mails as one error, as several errors, or ignore them."""

    name: str
    """The name of the rule, and of the error into which it joins mails."""
    action: Action
    by: str | None = None
    """The field by which it splits (`split_field`). None for the other actions."""
    app: str = "*"
    logger: str = "*"
    title: str = "*"
    message: str = "*"
    """Matched against the whole message and the whole trace."""
    fingerprint: tuple[str, ...] = ()
    """The fingerprints that it matches, as `relay show` prints them; empty: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Which secrets the relay masks."""

    enabled: bool = True
    names: tuple[str, ...] = ()
    """Additional names whose values are secrets."""
    patterns: tuple[str, ...] = ()
    """Additional formats of secrets, as RE2 patterns."""
