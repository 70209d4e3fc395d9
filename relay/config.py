"""Every setting, its type, its default: `relay.toml`, then the environment over it.

Guarantee: a `Settings` that exists is usable as it stands; nobody checks again. Secrets are
`SecretStr` and print as asterisks.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from relay.model import Level

Duration = Annotated[timedelta, BeforeValidator(lambda v: v)]
Size = Annotated[int, BeforeValidator(lambda v: v)]


class Section(BaseModel):
    """A table of the configuration: closed to unknown keys, never changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Address(Section):
    """Host and port of a listener; `str()` gives `host:port` again (brackets around IPv6)."""

    host: str
    port: int


class Smtp(Section):
    listen: str = "127.0.0.1:2525"
    max_size: Size = 32 * 1024 * 1024
    idle_timeout: Duration = timedelta(minutes=5)
    username: str = ""
    password: SecretStr | None = None
    """Set: AUTH is required and checked. Unset: AUTH is offered and any credentials are taken, so that an app configured
    for its old server works unchanged."""


class Http(Section):
    listen: str = "127.0.0.1:8026"
    password: SecretStr | None = None


class Storage(Section):
    data_dir: Path
    ledger: SecretStr | None = None
    """SQLAlchemy URL (may hold a password); unset: SQLite in data_dir."""
    samples_for: Duration = timedelta(days=14)
    counts_for: Duration = timedelta(days=90)
    parked_for: Duration = timedelta(days=14)
    max_disk: Size = 2 * 1024**3


class Upstream(Section):
    host: str = ""
    port: int | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    auth_in_clear: bool = False
    ca_file: Path | None = None
    timeout: Duration = timedelta(seconds=30)
    retry: tuple[Duration, ...] = tuple(timedelta(minutes=m) for m in (1, 2, 4, 8, 16, 30))
    give_up_after: Duration = timedelta(days=5)


class Timing(Section):
    """When what is told (DESIGN: the table of defaults). A route may override any of it."""

    first_wait: Duration = timedelta(seconds=10)
    interval: Duration = timedelta(minutes=5)
    steps: tuple[Duration, ...] = tuple(timedelta(minutes=m) for m in (5, 10, 20, 30, 60, 240))
    spike_factor: float = 10.0
    spike_min: int = 20
    ended_after: Duration = timedelta(minutes=15)
    ended_min: int = 100
    back_after: Duration = timedelta(hours=24)


class Budget(Section):
    per_hour: int = 20
    burst: int = 5
    per_day: int = 300


class DigestLimits(Section):
    max_size: Size = 90 * 1000
    full_errors: int = 20
    trace_lines: int = 60


class Route(Section):
    """`[[route]]`: the first whose every given condition holds decides; patterns are shell globs, case-insensitive."""

    name: str
    recipients: tuple[str, ...]
    app: str = "*"
    level: Level = Level.DEBUG
    """This level and worse."""
    logger: str = "*"
    environment: str = "*"
    pattern: str = "*"
    """Matched against the group's title and the message's first line."""
    timing: Timing


class App(Section):
    """`[[app]]`: gives the mails from a sender and with a subject (globs) an app name."""

    name: str
    sender: str = "*"
    subject: str = "*"


class Clock(Section):
    """`[time]`."""

    zone: str = "UTC"

    @property
    def tz(self) -> ZoneInfo:
        """The zone in which mails, pages and the CLI show moments."""
        return ZoneInfo(self.zone)


class Log(Section):
    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section):
    """The whole configuration, checked."""

    admins: tuple[str, ...] = ()
    sender: str
    templates: Path | None = None
    smtp: Smtp
    http: Http
    storage: Storage
    upstream: Upstream
    timing: Timing
    budget: Budget
    digest: DigestLimits
    route: tuple[Route, ...] = ()
    app: tuple[App, ...] = ()
    time: Clock
    log: Log
