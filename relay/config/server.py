"""The tables `[smtp]`, `[http]`, `[storage]` and `[log]`: where the relay listens, who may connect, state, log.

docs/configuration.md gives the reason for each default.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from relay.config import listen as addresses
from relay.config.section import SecretUnreadable, Section, without_empty_file
from relay.config.values import Duration, ListenAddress, NetworkNames, Size
from relay.data_dir import DataDir
from relay.errors import ConfigError

_LEDGER_URLS = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
_LEDGER_FORMS = "sqlite:////path/to/file or postgresql://…"


def _state_dir() -> Path:
    """Return the default data directory, under the XDG state directory. Raises ConfigError if the user has no home."""
    base = os.environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):
        return Path(base) / "error-mail-relay"
    try:
        return Path.home() / ".local" / "state" / "error-mail-relay"
    except RuntimeError as error:  # no HOME, and a user unknown to the system, as in a container
        sentence = "[storage] data_dir: this user has no home directory; name a folder, also as RELAY_STORAGE__DATA_DIR"
        raise ConfigError((sentence,)) from error


class Smtp(Section):
    """`[smtp]`: the receiver."""

    listen: ListenAddress = addresses.SMTP
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

    @model_validator(mode="before")
    @classmethod
    def _check_secret(cls, table: Any) -> Any:
        return without_empty_file(table, "password")

    @model_validator(mode="after")
    def _check(self) -> Self:
        has_password = bool(self.password or self.password_file)
        if has_password and not self.username:
            raise ValueError("username and password go together: set both, or neither (then any credentials are taken)")
        if self.tls_key and not self.tls_cert:
            raise ValueError("tls_key has no tls_cert: name the certificate too")
        if self.listen_tls and not self.tls_cert:
            raise ValueError("listen_tls needs tls_cert: without a certificate there is no TLS")
        if self.username and self.beyond_loopback and not (self.tls_cert or self.auth_in_clear):
            raise ValueError(
                "clients beyond the loopback could not log in: set tls_cert and tls_key, or auth_in_clear = true"
            )
        return self

    @property
    def beyond_loopback(self) -> bool:
        """Whether clients on other machines may connect."""
        return any(name != "loopback" for name in self.clients) and not self.listen.loopback


class Http(Section):
    """`[http]`: the health checks, the metrics and the dashboard."""

    listen: ListenAddress = addresses.HTTP
    password: SecretStr | None = None
    password_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _check_secret(cls, table: Any) -> Any:
        return without_empty_file(table, "password")


class Storage(Section):
    """`[storage]`: the state on disk, and how long it is kept."""

    data_dir: Annotated[Path, AfterValidator(Path.absolute)] = Field(default_factory=_state_dir)
    ledger: SecretStr | None = None
    ledger_file: Path | None = None
    samples_for: Duration = timedelta(days=14)
    counts_for: Duration = timedelta(days=90)
    parked_for: Duration = timedelta(days=14)
    max_disk: Size = 2 * 2**30

    @model_validator(mode="before")
    @classmethod
    def _check_secret(cls, table: Any) -> Any:
        return without_empty_file(table, "ledger")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ledger and not self.ledger.get_secret_value().startswith(_LEDGER_URLS):
            raise ValueError(f"ledger is no URL of a kind that is known: {_LEDGER_FORMS}")
        return self

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL of the ledger; it may contain a password. Raises SecretUnreadable."""
        url = self.secret("ledger") or f"sqlite:///{DataDir(self.data_dir).ledger}"
        if not url.startswith(_LEDGER_URLS):
            raise SecretUnreadable(f"ledger_file holds no URL of a kind that is known: {_LEDGER_FORMS}")
        return url.replace("postgresql://", "postgresql+psycopg://", 1)


class Log(Section):
    """`[log]`: the relay's own log on standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"
