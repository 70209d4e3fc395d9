"""The tables `[[route]]`, `[timing]`, `[budget]`, `[digest]` and `[time]`: who gets which digests, when, and how large.

docs/configuration.md gives the reason for each default. The defaults themselves are those of `relay.model`.
"""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from relay.config.section import BuiltBy, Section
from relay.config.values import Duration, Durations, MailAddresses, Size, ZoneName
from relay.model import Budget, DigestLimits, Level, Situation, Timing


def _level(value: Any) -> Any:
    if isinstance(value, str) and value.upper() in Level.__members__:
        return Level[value.upper()]
    if isinstance(value, Level):
        return value
    raise ValueError(f"{value!r} is no level: write one of {', '.join(Level.__members__)}")


def _situation(glob: str) -> str:
    if not any(fnmatchcase(situation, glob.lower()) for situation in Situation):
        raise ValueError(f"{glob!r} is none of the situations: {', '.join(Situation)}")
    return glob


_TIMING, _BUDGET, _LIMITS = Timing(), Budget(), DigestLimits()


class TimingSection(Section):
    """`[timing]`: when an error is reported. A route may override any of these settings."""

    first_wait: Duration = _TIMING.first_wait
    interval: Duration = _TIMING.interval
    news_gaps: Annotated[Durations, Field(min_length=1)] = _TIMING.news_gaps
    news_calm: Duration = _TIMING.news_calm
    steps: Annotated[Durations, Field(min_length=1)] = _TIMING.steps
    spike_factor: Annotated[float, Field(gt=1)] = _TIMING.spike_factor
    spike_min: Annotated[int, Field(ge=1)] = _TIMING.spike_min
    ended_after: Annotated[Duration, Field(gt=timedelta(0))] = _TIMING.ended_after
    ended_min: Annotated[int, Field(ge=1)] = _TIMING.ended_min
    back_after: Duration = _TIMING.back_after

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("steps", "news_gaps"):
            pauses = getattr(self, name)
            if any(later < earlier for earlier, later in pairwise(pauses)):
                raise ValueError(f"{name} must not shrink: each pause is at least as long as the one before")
        if self.news_calm < self.news_gaps[-1]:
            raise ValueError("news_calm must be at least the last of news_gaps, or that one is never reached")
        if not all(self.steps):
            raise ValueError("steps must be longer than 0s")
        if self.back_after < self.ended_after:
            raise ValueError("back_after must be at least ended_after: an error ends before it can be back")
        return self


class BudgetSection(Section):
    """`[budget]`: the most mails that one recipient gets."""

    per_hour: Annotated[int, Field(ge=1)] = _BUDGET.per_hour
    burst: Annotated[int, Field(ge=2)] = _BUDGET.burst
    per_day: Annotated[int, Field(ge=1)] = _BUDGET.per_day


class DigestSection(Section):
    """`[digest]`: how large one digest may become."""

    max_size: Annotated[Size, Field(ge=10_000)] = _LIMITS.max_size
    full_errors: Annotated[int, Field(ge=1)] = _LIMITS.full_errors
    trace_lines: Annotated[int, Field(ge=5)] = _LIMITS.trace_lines


class RouteSection(Section):
    """`[[route]]`: the first route whose conditions all hold gets the error; texts are case-insensitive shell globs."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    recipients: Annotated[MailAddresses, Field(min_length=1)]
    app: str = "*"
    level: Annotated[Level, BeforeValidator(_level)] = Level.DEBUG
    logger: str = "*"
    environment: str = "*"
    situation: Annotated[str, AfterValidator(_situation)] = "*"
    pattern: str = "*"
    timing: Annotated[Timing, BuiltBy(TimingSection)] = _TIMING
    learn: bool = True


ROUTE_GLOBS = tuple(name for name, setting in RouteSection.model_fields.items() if setting.default == "*")
"""The conditions of a route that are shell globs; `level` is its only other condition."""


class Zone(Section):
    """`[time]`: the time zone of what people read."""

    zone: ZoneName = "UTC"

    @property
    def tz(self) -> ZoneInfo:
        """The time zone of the times in mails, pages and command output."""
        return ZoneInfo(self.zone)
