"""Files that only the service has to read: secrets and the certificate authority of the upstream.

Under systemd the service gets its secrets as credentials that no other process can read. So the configuration is valid
without them, and `relay status` works without them. `relay serve` and `relay send-test` require them at the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from relay.config.oauth2 import SECRETS, OAuth2
from relay.config.section import SecretUnreadable, Section, this_user
from relay.config.settings import Settings


class FileProblem(NamedTuple):
    """A secret or a certificate that this process cannot use."""

    table: str
    setting: str
    text: str
    only_here: bool
    """True if another process may be able to use it: this user may not read it, or the environment lacks it."""


def file_problems(settings: Settings) -> Iterator[FileProblem]:
    """Read each secret and the certificate authority; yield what is missing or cannot be read."""
    if settings.upstream.oauth2.enabled:
        yield from _token_source(settings.upstream.oauth2)
    else:
        yield from _credentials("upstream", settings.upstream)
    yield from _credentials("smtp", settings.smtp)
    yield from _secret("http", "password", settings.http)
    try:
        _ = settings.storage.ledger_url
    except SecretUnreadable as error:
        yield FileProblem("storage", "ledger_file", str(error), error.forbidden)
    if settings.upstream.ca_file:
        yield from _certificates(settings.upstream.ca_file)


def _credentials(table: str, section: Section) -> Iterator[FileProblem]:
    password, file = getattr(section, "password"), getattr(section, "password_file")  # noqa: B009 -- two sections have them
    if getattr(section, "username") and not (password or file):  # noqa: B009 -- likewise
        missing = "password (or password_file) is missing: credentials need both"
        yield FileProblem(table, "username", missing, only_here=True)
    yield from _secret(table, "password", section)


def _token_source(oauth2: OAuth2) -> Iterator[FileProblem]:
    """Yield what keeps this process from asking for an access token."""
    table = "upstream.oauth2"
    if oauth2.provider and not find_spec("authlib"):
        text = 'provider needs libraries that are not installed: run pip install "error-mail-relay[server,oauth]"'
        yield FileProblem(table, "provider", text, only_here=False)
    if missing := oauth2.missing_secrets:
        names = " or ".join(f"{name}_file" for name in missing)
        yield FileProblem(table, "client_id", f"{names} is missing: {oauth2.flow} needs it", only_here=True)
    for name in SECRETS:
        yield from _secret(table, name, oauth2)
    if oauth2.certificate:
        yield from _readable(table, "certificate", oauth2.certificate)


def _readable(table: str, setting: str, file: Path) -> Iterator[FileProblem]:
    try:
        with file.open("rb"):
            return
    except PermissionError:
        yield FileProblem(table, setting, f"{setting} {file} cannot be read by {this_user()}", only_here=True)
    except OSError as error:
        text = f"{setting} {file} cannot be read: {error.strerror}"
        yield FileProblem(table, setting, text, only_here=False)


def _secret(table: str, name: str, section: Section) -> Iterator[FileProblem]:
    try:
        section.secret(name)
    except SecretUnreadable as error:
        yield FileProblem(table, f"{name}_file", str(error), error.forbidden)


def _certificates(file: Path) -> Iterator[FileProblem]:
    import ssl  # noqa: PLC0415 -- few relays have such a file, and mail waits for the imports above

    try:
        ssl.create_default_context(cafile=str(file))
    except ssl.SSLError:
        yield FileProblem("upstream", "ca_file", f"ca_file {file} holds no certificate in PEM form", only_here=False)
    except PermissionError:
        yield FileProblem("upstream", "ca_file", f"ca_file {file} cannot be read by {this_user()}", only_here=True)
    except OSError as error:
        yield FileProblem("upstream", "ca_file", f"ca_file {file} cannot be read: {error.strerror}", only_here=False)
