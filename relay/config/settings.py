"""The tables of the configuration, their defaults, and what must hold between them.

Each default's reason stands in docs/configuration.md; DESIGN's table of timings is the
source of `[timing]`, `[budget]` and `[digest]`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from relay.config.values import (
    Duration,
    Durations,
    Listen,
    ListenAddress,
    MailAddress,
    MailAddresses,
    NetworkNames,
    Patterns,
    Size,
    Words,
    ZoneName,
    listing,
)
from relay.model import Action, Level, Situation, SplitBy

_DEFAULT_PORTS = {"starttls": 587, "tls": 465, "none": 25}


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


def _minutes(*numbers: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=number) for number in numbers)


def _state_dir() -> Path:
    """Where state goes by default: the XDG base directory for it."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "error-mail-relay"


class Section(BaseModel):
    """A table: closed to unknown keys, never changed once read; errors never quote what was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _secret_from_file(section: Any, name: str) -> SecretStr | None:
    """Give the secret `name` of a section, from its `_file` twin where that is set; both at once are an error."""
    given: SecretStr | None = getattr(section, name)
    file: Path | None = getattr(section, f"{name}_file")
    if file is None:
        return given
    if given is not None:
        raise ValueError(f"{name} and {name}_file are both set: keep one of them")
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{name}_file cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8 text'}"
        ) from error
    if not text:
        raise ValueError(f"{name}_file is empty")
    return SecretStr(text)


def _resolve(section: Section, name: str) -> None:
    object.__setattr__(section, name, _secret_from_file(section, name))


class Smtp(Section):
    """`[smtp]`: the receiver."""

    listen: ListenAddress = Listen("127.0.0.1", 2525)
    listen_tls: ListenAddress | None = None
    clients: NetworkNames = ("loopback",)
    proxies: NetworkNames = ()
    max_size: Annotated[Size, Field(ge=64 * 1024)] = 32 * 2**20
    idle_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    session_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=20)
    max_connections: Annotated[int, Field(ge=1)] = 1000
    max_per_client: Annotated[int, Field(ge=1)] = 500
    max_memory: Size = 32 * 2**20
    tls_cert: Path | None = None
    tls_key: Path | None = None
    username: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    auth_in_clear: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        _resolve(self, "password")
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password go together: set both, or neither (then any credentials are taken)")
        if self.tls_key and not self.tls_cert:
            raise ValueError("tls_key has no tls_cert: name the certificate too")
        if self.listen_tls and not self.tls_cert:
            raise ValueError("listen_tls needs tls_cert: without a certificate there is no TLS")
        if self.password and self.beyond_loopback and not (self.tls_cert or self.auth_in_clear):
            raise ValueError(
                "clients beyond the loopback could not log in: set tls_cert and tls_key, or auth_in_clear = true"
            )
        return self

    @property
    def beyond_loopback(self) -> bool:
        """Whether clients on other machines may send."""
        return any(name != "loopback" for name in self.clients) and not self.listen.loopback


class Http(Section):
    """`[http]`: the health pages, the metrics and the dashboard."""

    listen: ListenAddress = Listen("127.0.0.1", 8026)
    password: SecretStr | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _resolve(self, "password")
        return self


class Storage(Section):
    """`[storage]`: the state on disk and how long it is kept."""

    data_dir: Path = Field(default_factory=_state_dir)
    ledger: SecretStr | None = None
    ledger_file: Path | None = None
    samples_for: Duration = timedelta(days=14)
    counts_for: Duration = timedelta(days=90)
    parked_for: Duration = timedelta(days=14)
    max_disk: Size = 2 * 2**30

    @model_validator(mode="after")
    def _check(self) -> Self:
        _resolve(self, "ledger")
        if not self.data_dir.is_absolute():
            object.__setattr__(self, "data_dir", self.data_dir.absolute())
        if self.ledger and not self.ledger_url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("ledger is no URL of a kind that is known: sqlite:////path/to/file or postgresql://…")
        return self

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL of the ledger; it may hold a password."""
        url = self.ledger.get_secret_value() if self.ledger else f"sqlite:///{self.data_dir}/ledger.db"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)


class Upstream(Section):
    """`[upstream]`: the mail server that takes the digests. Without `host` they go to a local mailbox."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    auth_in_clear: bool = False
    ca_file: Path | None = None
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    retry: Annotated[Durations, Field(min_length=1)] = _minutes(1, 2, 4, 8, 16, 30)
    give_up_after: Duration = timedelta(days=5)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _resolve(self, "password")
        if self.port is None:
            object.__setattr__(self, "port", _DEFAULT_PORTS[self.security])
        if bool(self.username) != bool(self.password):
            missing = "password (or password_file)" if self.username else "username"
            raise ValueError(f"{missing} is missing: credentials need both")
        if self.username and self.security == "none" and not self.auth_in_clear:
            raise ValueError(
                'security = "none" would send the password in clear: use "starttls" or "tls", or auth_in_clear = true'
            )
        if self.ca_file is not None:
            _check_certificates(self.ca_file)
        return self


def _check_certificates(file: Path) -> None:
    import ssl  # noqa: PLC0415 -- few have such a file, and mail waits for what is imported above

    try:
        ssl.create_default_context(cafile=str(file))
    except ssl.SSLError as error:
        raise ValueError(f"ca_file {file} holds no certificate in PEM form") from error
    except OSError as error:
        raise ValueError(f"ca_file {file} cannot be read: {error.strerror}") from error


class Timing(Section):
    """`[timing]`: when what is told. A route may override any of it."""

    first_wait: Duration = timedelta(seconds=10)
    interval: Duration = timedelta(minutes=5)
    steps: Annotated[Durations, Field(min_length=1)] = _minutes(5, 10, 20, 30, 60, 240)
    spike_factor: Annotated[float, Field(gt=1)] = 10.0
    spike_min: Annotated[int, Field(ge=1)] = 20
    ended_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=15)
    ended_min: Annotated[int, Field(ge=1)] = 100
    back_after: Duration = timedelta(hours=24)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(later < earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("steps must not shrink: each pause is at least as long as the one before")
        if not all(self.steps):
            raise ValueError("steps must be longer than 0s")
        if self.back_after < self.ended_after:
            raise ValueError("back_after must be at least ended_after: an error ends before it can be back")
        return self


class Budget(Section):
    """`[budget]`: how many mails one recipient gets at most."""

    per_hour: Annotated[int, Field(ge=1)] = 20
    burst: Annotated[int, Field(ge=2)] = 5
    per_day: Annotated[int, Field(ge=1)] = 300


class DigestLimits(Section):
    """`[digest]`: how large one mail may become."""

    max_size: Annotated[Size, Field(ge=10_000)] = 90 * 1000
    full_errors: Annotated[int, Field(ge=1)] = 20
    trace_lines: Annotated[int, Field(ge=5)] = 60


class Route(Section):
    """`[[route]]`: the first whose every condition holds decides; texts are shell globs, without regard to case."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    recipients: Annotated[MailAddresses, Field(min_length=1)]
    app: str = "*"
    level: Annotated[Level, BeforeValidator(_level)] = Level.DEBUG
    logger: str = "*"
    environment: str = "*"
    situation: Annotated[str, AfterValidator(_situation)] = "*"
    pattern: str = "*"
    timing: Timing = Timing()


class App(Section):
    """`[[app]]`: names the app behind the mails from a sender and with a subject (shell globs)."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w .-]*$")]
    sender: str = "*"
    subject: str = "*"


class Rule(Section):
    """`[[rule]]`: says of the mails it matches (shell globs) that they are one error, several, or none."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w .-]*$")]
    action: Action
    by: SplitBy | None = None
    app: str = "*"
    logger: str = "*"
    title: str = "*"
    message: str = "*"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.action is Action.SPLIT) != (self.by is not None):
            missing = 'by is missing: say by what to split, such as by = "host"'
            raise ValueError(missing if self.by is None else 'by goes with action = "split" alone')
        return self


class Redact(Section):
    """`[redact]`: what is masked before anything of a mail is kept or sent."""

    enabled: bool = True
    names: Words = ()
    patterns: Patterns = ()


class Zone(Section):
    """`[time]`: how moments are shown."""

    zone: ZoneName = "UTC"

    @property
    def tz(self) -> ZoneInfo:
        """The zone in which mails, pages and the CLI show moments."""
        return ZoneInfo(self.zone)


class Log(Section):
    """`[log]`: the relay's own log on standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section):
    """The whole configuration, checked."""

    admins: MailAddresses = ()
    sender: MailAddress | None = None
    templates: Path | None = None
    smtp: Smtp = Smtp()
    http: Http = Http()
    storage: Storage = Field(default_factory=Storage)
    upstream: Upstream = Upstream()
    timing: Timing = Timing()
    budget: Budget = Budget()
    digest: DigestLimits = DigestLimits()
    route: Annotated[tuple[Route, ...], BeforeValidator(listing)] = ()
    app: Annotated[tuple[App, ...], BeforeValidator(listing)] = ()
    rule: Annotated[tuple[Rule, ...], BeforeValidator(listing)] = ()
    redact: Redact = Redact()
    time: Zone = Zone()
    log: Log = Log()

    @model_validator(mode="before")
    @classmethod
    def _inherit_timing(cls, data: Any) -> Any:
        """Let a route's `timing` name only what it changes."""
        base = data.get("timing") if isinstance(data, Mapping) else None
        routes = listing(data.get("route")) if isinstance(data, Mapping) else None
        if not isinstance(base, Mapping) or not isinstance(routes, list | tuple):
            return data
        merged = [
            {**route, "timing": {**base, **(route.get("timing") or {})}} if isinstance(route, Mapping) else route
            for route in routes
        ]
        return {**data, "route": merged}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.upstream.host and not self.admins:
            raise ValueError('admins is empty: name at least one recipient, such as admins = ["yourname@example.com"]')
        names = [route.name for route in self.routes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"two routes are named {name!r} (`admins` is the last, implicit one): give each its own name"
                )
        if self.upstream.host and self._upstream_is_ourselves():
            raise ValueError(
                "upstream is the relay's own listener: digests would come back for ever; name the real mail server"
            )
        if self.templates is not None and not self.templates.is_dir():
            raise ValueError(f"templates: {self.templates} is no folder")
        return self

    def _upstream_is_ourselves(self) -> bool:
        own = {"localhost", socket.gethostname().lower(), self.smtp.listen.host}
        host = self.upstream.host.strip("[]").lower()
        here = host in own or Listen(host, 0).loopback or host in {"0.0.0.0", "::"}  # noqa: S104 -- compared, not bound
        return here and self.upstream.port == self.smtp.listen.port

    @property
    def routes(self) -> tuple[Route, ...]:
        """The configured routes and the implicit last one, `admins`."""
        recipients = self.admins or ("admins@localhost",)
        return (*self.route, Route.model_construct(name="admins", recipients=recipients, timing=self.timing))

    @property
    def sender_address(self) -> str:
        """Who the digests are from: `sender`, else the upstream's user where that is an address, else this host."""
        if self.sender:
            return self.sender
        if "@" in self.upstream.username:
            return self.upstream.username
        host = socket.getfqdn()
        return f"error-mail-relay@{host if '.' in host else 'localhost'}"


def make_settings(data_dir: Path, **tables: Any) -> Settings:
    """Build settings from tables as `relay.toml` would hold them, with state under `data_dir`."""
    storage = {"data_dir": data_dir, **tables.pop("storage", {})}
    return Settings.model_validate({**tables, "storage": storage})
