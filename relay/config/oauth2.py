"""The table `[upstream.oauth2]`: how the relay gets the access token with which it logs in at the upstream.

docs/providers.md says step by step what to set for each provider. docs/configuration.md lists every setting.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from relay.config.section import Section, without_empty_file

SECRETS = ("client_secret", "private_key", "service_account", "refresh_token")
"""The settings that are secrets. Each has a second setting that names a file."""


class Grant(StrEnum):
    """The way to an access token: first the values that the setting `grant` may have (RFC 6749, 7523, 8628)."""

    CLIENT_CREDENTIALS = "client_credentials"
    """The relay logs in as an application, with a secret or a certificate."""
    SERVICE_ACCOUNT = "service_account"
    """Google: a key of a service account that may act for the mailbox (RFC 7523)."""
    DEVICE_CODE = "device_code"
    """A person logs in once in a browser, with the code that `relay login` shows (RFC 8628)."""
    AUTHORIZATION_CODE = "authorization_code"
    """A person logs in once in a browser, and gives the address of the last page to `relay login`."""
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 -- the name of a grant
    """The setting `refresh_token` holds a refresh token from elsewhere."""
    COMMAND = "token_command"
    """A program prints the access token."""
    FILE = "token_file"
    """Another program keeps the access token in a file."""

    @property
    def needs_login(self) -> bool:
        """Whether a person has to log in once with `relay login`."""
        return self in {Grant.DEVICE_CODE, Grant.AUTHORIZATION_CODE}


class Endpoints(NamedTuple):
    """The addresses of an authorisation server, and the scope to ask for; "" for what it does not have."""

    token: str
    device: str
    authorization: str
    scope: str


_DEFAULT_GRANT = {
    "microsoft": Grant.CLIENT_CREDENTIALS,
    "google": Grant.SERVICE_ACCOUNT,
    "custom": Grant.CLIENT_CREDENTIALS,
}
_NOT_WITH = {
    ("google", Grant.DEVICE_CODE): 'Google gives no mail scope to devices: use grant = "authorization_code"',
    ("google", Grant.CLIENT_CREDENTIALS): 'Google has no client credentials for mail: use grant = "service_account"',
    ("microsoft", Grant.SERVICE_ACCOUNT): "service accounts are Google's: use client_credentials or device_code",
    ("microsoft", Grant.AUTHORIZATION_CODE): 'use grant = "device_code" with Microsoft',
    ("custom", Grant.SERVICE_ACCOUNT): 'service accounts are Google\'s: use provider = "google"',
}


def parse_command(value: Any) -> Any:
    """Parse a command line: a list, JSON if it starts with `[`, else words as in a shell."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.lstrip().startswith("[") else shlex.split(value)
    except ValueError as error:
        raise ValueError(f"this is no command line: {error}") from error


def check_endpoint(value: str) -> str:
    """Check the address of an endpoint: https, or http on this machine alone."""
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise ValueError("this is no URL: write one such as https://login.example.com/token") from error
    if parts.username or parts.password:
        raise ValueError("no user name or password belongs in this URL: set client_id and client_secret")
    if host and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        return value
    raise ValueError("secrets are sent there: write an address that begins with https://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Endpoint = Annotated[str, AfterValidator(lambda value: check_endpoint(value) if value else value)]
Command = Annotated[tuple[str, ...], BeforeValidator(parse_command)]


class OAuth2(Section):
    """`[upstream.oauth2]`: the source of access tokens. Without `provider`, command and file there is none."""

    provider: Literal["microsoft", "google", "custom"] | None = None
    grant: (
        Literal["client_credentials", "service_account", "device_code", "authorization_code", "refresh_token"] | None
    ) = None
    tenant: Annotated[str, Field(pattern=r"^[\w.-]*$")] = ""
    client_id: str = ""
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    certificate: Path | None = None
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    service_account: SecretStr | None = None
    service_account_file: Path | None = None
    refresh_token: SecretStr | None = None
    refresh_token_file: Path | None = None
    token_endpoint: Endpoint = ""
    device_endpoint: Endpoint = ""
    authorization_endpoint: Endpoint = ""
    scope: str = ""
    token_command: Command = ()
    token_file: Path | None = None
    token_dir: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _check_secrets(cls, table: Any) -> Any:
        for name in SECRETS:
            table = without_empty_file(table, name)
        return table

    @model_validator(mode="after")
    def _check(self) -> Self:
        sources = [name for name in ("provider", "token_command", "token_file") if getattr(self, name)]
        if len(sources) > 1:
            raise ValueError(f"{' and '.join(sources)} are set: each of them gives tokens, so keep one")
        if not sources and self.model_fields_set - {"token_dir"}:
            raise ValueError('provider is missing: write provider = "microsoft", "google" or "custom"')
        if self.provider:
            self._check_provider()
        return self

    def _check_provider(self) -> None:
        if refusal := _NOT_WITH.get((self.provider or "", self.flow)):
            raise ValueError(refusal)
        if not self.client_id and self.flow is not Grant.SERVICE_ACCOUNT:
            raise ValueError("client_id is missing: the provider shows it for the application that you registered")
        if self.provider == "microsoft" and not (self.tenant or self.token_endpoint):
            raise ValueError('tenant is missing: write the "Directory (tenant) ID", or a domain of the tenant')
        if self.provider == "custom":
            needed = ["token_endpoint"]
            needed += ["device_endpoint"] if self.flow is Grant.DEVICE_CODE else []
            needed += ["authorization_endpoint"] if self.flow is Grant.AUTHORIZATION_CODE else []
            for name in needed:
                if not getattr(self, name):
                    raise ValueError(f"{name} is missing: the provider's documentation names its address")
        with_key = self.private_key or self.private_key_file
        if self.provider == "microsoft" and bool(with_key) != bool(self.certificate):
            raise ValueError("certificate and private_key_file go together: set both, or client_secret_file")
        if with_key and (self.client_secret or self.client_secret_file):
            raise ValueError("client_secret and private_key are both set: keep one of them")

    @property
    def enabled(self) -> bool:
        """Whether the relay logs in with tokens instead of a password."""
        return bool(self.provider or self.token_command or self.token_file)

    @property
    def flow(self) -> Grant:
        """The way to a token: `grant`, else the provider's usual one."""
        if self.token_command or self.token_file:
            return Grant.COMMAND if self.token_command else Grant.FILE
        return Grant(self.grant) if self.grant else _DEFAULT_GRANT[self.provider or "custom"]

    @property
    def missing_secrets(self) -> tuple[str, ...]:
        """The secrets that this way needs and that are not set. Another process may have them in its environment."""
        needed = {
            Grant.CLIENT_CREDENTIALS: ("client_secret", "private_key"),
            Grant.SERVICE_ACCOUNT: ("service_account",),
            Grant.REFRESH_TOKEN: ("refresh_token",),
        }.get(self.flow, ())
        is_set = [name for name in needed if getattr(self, name) or getattr(self, f"{name}_file")]
        return () if is_set else needed

    @property
    def endpoints(self) -> Endpoints:
        """The provider's addresses and scope; what is set wins."""
        known = _known_endpoints(self.provider or "custom", self.tenant, self.flow)
        return Endpoints(
            token=self.token_endpoint or known.token,
            device=self.device_endpoint or known.device,
            authorization=self.authorization_endpoint or known.authorization,
            scope=self.scope or known.scope,
        )


def _known_endpoints(provider: str, tenant: str, flow: Grant) -> Endpoints:
    if provider == "microsoft":
        base = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
        alone = flow is Grant.CLIENT_CREDENTIALS
        scope = (
            "https://outlook.office365.com/.default" if alone else "https://outlook.office.com/SMTP.Send offline_access"
        )
        return Endpoints(f"{base}/token", f"{base}/devicecode", "", scope)
    if provider == "google":
        token, page = "https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/v2/auth"
        return Endpoints(token, "", page, "https://mail.google.com/")
    return Endpoints("", "", "", "")
