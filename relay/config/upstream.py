"""The table of the mail server that takes the digests: how it is reached, and how long it is tried.

Each default's reason stands in docs/configuration.md.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from relay.config.section import Section, resolve
from relay.config.values import Duration, Durations, minutes

_DEFAULT_PORTS = {"starttls": 587, "tls": 465, "none": 25}


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
    retry: Annotated[Durations, Field(min_length=1)] = minutes(1, 2, 4, 8, 16, 30)
    give_up_after: Duration = timedelta(days=5)

    @model_validator(mode="after")
    def _check(self) -> Self:
        resolve(self, "password")
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
