"""The table `[upstream]`: the mail server that accepts the digests, the login, and how long delivery is retried.

docs/configuration.md gives the reason for each default.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from relay.config.oauth2 import OAuth2
from relay.config.section import Section, without_empty_file
from relay.config.values import Duration, Durations, Host, HostName
from relay.model import RetryPolicy

_RETRY = RetryPolicy()
_DEFAULT_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class Upstream(Section):
    """`[upstream]`: the mail server that accepts the digests. Without `host` they go to a local mailbox."""

    host: Host = ""
    security: Literal["starttls", "tls", "none"] = "starttls"
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(default=None, validate_default=True)
    ehlo_name: HostName = ""
    username: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    oauth2: OAuth2 = OAuth2()
    auth_in_clear: bool = False
    ca_file: Path | None = None
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    retry: Annotated[Durations, Field(min_length=1)] = _RETRY.pauses
    give_up_after: Duration = _RETRY.give_up_after

    @model_validator(mode="before")
    @classmethod
    def _check_secret(cls, table: Any) -> Any:
        return without_empty_file(table, "password")

    @field_validator("port", mode="after")
    @classmethod
    def _default_port(cls, port: int | None, info: ValidationInfo) -> int | None:
        return port or _DEFAULT_PORTS.get(info.data.get("security", ""))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.oauth2.enabled:
            self._check_oauth2()
        if (self.password or self.password_file) and not self.username:
            raise ValueError("username is missing: credentials need both")
        if self.username and self.security == "none" and not self.auth_in_clear:
            raise ValueError(
                'security = "none" would send the password in clear: use "starttls" or "tls", or auth_in_clear = true'
            )
        return self

    def _check_oauth2(self) -> None:
        if not self.username:
            raise ValueError("username is missing: name the mailbox that [upstream.oauth2] gives access to")
        if self.password or self.password_file:
            raise ValueError("password and [upstream.oauth2] are both set: keep one of them")
        if self.security == "none":
            raise ValueError('security = "none" would send the access token in clear: use "starttls" or "tls"')

    @property
    def target(self) -> str:
        """The server and the account, such as `mail.acme.test:587 as relay`; "" without an upstream.

        The state of the upstream belongs to this target: of another one it says nothing.
        """
        account = f" as {self.username}" if self.username else ""
        return f"{self.host.lower()}:{self.port}{account}" if self.host else ""

    @property
    def retry_policy(self) -> RetryPolicy:
        """The pauses between the attempts to deliver a message, and when to give up."""
        return RetryPolicy(pauses=self.retry, give_up_after=self.give_up_after)
