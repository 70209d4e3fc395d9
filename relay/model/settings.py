"""The settings that the pure core works by, as plain values: when to report, how much, which app, which route.

`relay.config` reads them from `relay.toml` and the environment, checks them and builds these. Texts that match are
shell globs without regard to case; `*` matches everything. Each default's reason stands in docs/configuration.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from relay.model.mail import Level
from relay.model.rule import Action, SplitBy


def _minutes(*numbers: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=number) for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When an error is reported."""

    first_wait: timedelta = timedelta(seconds=10)
    """From the first mail to its digest, so that what breaks together arrives together."""
    interval: timedelta = timedelta(minutes=5)
    """At least this long between two digests of one route; CRITICAL skips it."""
    steps: tuple[timedelta, ...] = _minutes(5, 10, 20, 30, 60, 240)
    """The growing gaps between the digests about one error; the last one repeats. Never empty."""
    spike_factor: float = 10.0
    """A spike has this many times the rate that was last reported."""
    spike_min: int = 20
    """Fewer occurrences than this are no spike."""
    ended_after: timedelta = timedelta(minutes=15)
    """An error that was quiet for this long has ended."""
    ended_min: int = 100
    """An episode of fewer occurrences than this gets no mail of its own for its closing total."""
    back_after: timedelta = timedelta(hours=24)
    """An error seen again after this long is as good as new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many mails one recipient gets at most. Each number is at least 1, `burst` at least 2."""

    per_hour: int = 20
    """Tokens that flow back in an hour."""
    burst: int = 5
    """The most tokens there ever are."""
    per_day: int = 300
    """The most mails of one day (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a message is tried again."""

    pauses: tuple[timedelta, ...] = _minutes(1, 2, 4, 8, 16, 30)
    """The pauses after the first, second, … failure; the last one repeats. Never empty."""
    give_up_after: timedelta = timedelta(days=5)
    """How long a message is tried that the upstream refuses for now: the pauses between its tries, added up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestLimits:
    """How long a digest may get."""

    max_size: int = 90 * 1000
    """Bytes of the whole mail as sent; totals alone take up to 10,000."""
    full_errors: int = 20
    """Errors that are shown in full."""
    trace_lines: int = 60
    """Lines of a traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who gets the digests about which errors, and when. The first route whose every condition holds takes a report."""

    name: str
    recipients: tuple[str, ...]
    app: str = "*"
    level: Level = Level.DEBUG
    """This level and worse."""
    logger: str = "*"
    environment: str = "*"
    situation: str = "*"
    """Such as `network down`; only `*` takes a report without one."""
    pattern: str = "*"
    """Matched against the title and the message's first line."""
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRule:
    """Mails whose sender and subject match are from the app `name`."""

    name: str
    sender: str = "*"
    subject: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingRule:
    """What the administrator says of the mails that match: they are one error, several, or none."""

    name: str
    """Its name, and that of the error it joins."""
    action: Action
    by: SplitBy | None = None
    """What it splits by; None for the other actions."""
    app: str = "*"
    logger: str = "*"
    title: str = "*"
    message: str = "*"
    """Matched against the whole message and trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """What is masked."""

    enabled: bool = True
    names: tuple[str, ...] = ()
    """Further names whose values are secrets."""
    patterns: tuple[str, ...] = ()
    """Further formats of secrets, in the syntax of RE2."""
