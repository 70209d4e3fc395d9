"""`check`: check the configuration, the files it names, the mail templates and the data directory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay.cli.options import config_option, json_option
from relay.cli.output import print_json
from relay.errors import ConfigError

if TYPE_CHECKING:
    from relay.config import Loaded, Settings, Upstream
    from relay.config.service_files import FileProblem


_ONLY_SERVICE = (
    "`relay serve` and `relay send-test` need it, and its systemd unit can pass it as a credential; "
    "commands that do not send work without it"
)


@click.command()
@config_option
@json_option
@click.pass_context
def check(ctx: click.Context, config: Path | None, *, as_json: bool) -> None:
    """Check the configuration.

    The files it names, the mail templates and the data directory are checked too. Prints what is wrong and where.
    """
    found = _checked(config)
    if as_json:
        print_json({"valid": not found.problems, **asdict(found)})
    else:
        _print(found)
    ctx.exit(2 if found.problems else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """The result of the check: sentences, and the settings in use if the configuration can be read."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    """What only the service's own user can check."""
    settings: dict[str, Any] = field(default_factory=dict)


def _checked(config: Path | None) -> _Checked:
    from relay.config import load

    try:
        found = load(config)
    except ConfigError as error:
        return _Checked(problems=error.problems)
    files = [*found.file_problems(), *_certificate_problems(found)]
    problems = [each.text for each in files if not each.only_here]
    problems += [*_template_problems(found.settings), *_data_dir_problems(found.settings.storage.data_dir)]
    return _Checked(
        problems=tuple(problems),
        warnings=(
            *found.warnings,
            *found.placeholders(),
            *_unused_templates(found.settings),
            *_missing_login(found.settings),
        ),
        not_checked=tuple(f"{each.text}; {_ONLY_SERVICE}" for each in files if each.only_here),
        settings=_settings_in_use(found),
    )


def _print(found: _Checked) -> None:
    for problem in found.problems:
        click.echo(problem, err=True)
    if not found.problems:
        click.echo("\n".join(_summary(found.settings)))
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    for each in found.not_checked:
        click.echo(f"not checked here: {each}", err=True)


def _certificate_problems(found: Loaded) -> list[FileProblem]:
    """Load the receiver's certificate and key as the receiver does."""
    from relay.config.service_files import FileProblem
    from relay.receive.certificate import Certificate

    smtp = found.settings.smtp
    if smtp.tls_cert is None:
        return []
    try:
        Certificate(str(smtp.tls_cert.absolute()), str(smtp.tls_key.absolute()) if smtp.tls_key else "")
    except ConfigError as error:
        text = f"{found.places.of(('smtp', 'tls_cert'))}: {error}"
        return [FileProblem("smtp", "tls_cert", text, isinstance(error.__cause__, PermissionError))]
    return []


def _template_problems(settings: Settings) -> list[str]:
    from relay.clock import utc_now
    from relay.compose.example import example_digest
    from relay.errors import TemplateError
    from relay.service.assembly import make_renderer

    try:
        renderer = make_renderer(settings)
        rendered = renderer.digest(example_digest(utc_now(), settings.routes[-1].recipients))
    except TemplateError as error:
        return [f"templates: {error}"]
    return [f"templates: {fault}" for fault in rendered.faults]


def _unused_templates(settings: Settings) -> list[str]:
    """Return a warning for each file in the user's folder that no mail uses."""
    import difflib

    from relay.compose.render import unused_files
    from relay.resources import templates_dir

    folder = settings.templates
    known = sorted(path.name for path in (templates_dir() / "mail").iterdir())
    warnings = []
    for name in unused_files(folder) if folder else []:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"the names are {', '.join(known)}"
        warnings.append(f"templates: {folder}/{name} is used by no mail; {hint}")
    return warnings


def _missing_login(settings: Settings) -> list[str]:
    """Return a warning if a person has to log in first, and nobody has done so."""
    from relay.deliver import open_token_source

    tokens = open_token_source(settings)
    if tokens is None or not settings.upstream.oauth2.flow.needs_login or not tokens.files.readable():
        return []
    if tokens.files.refresh_token():
        return []
    return [f"[upstream.oauth2] nobody has logged in as {settings.upstream.username} yet: run `relay login`"]


def _data_dir_problems(folder: Path) -> list[str]:
    """Check that the data directory can be written; if it is missing, check the nearest parent that exists."""
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if not nearest.is_dir():
        return [f"[storage] data_dir: {nearest} is no folder"]
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return []
    except OSError as error:
        return [f"[storage] data_dir: {nearest} cannot be written by user {os.geteuid()}: {error.strerror}"]


def _settings_in_use(found: Loaded) -> dict[str, Any]:
    settings = found.settings
    upstream = settings.upstream
    return {
        "file": str(found.file) if found.file else None,
        "smtp": str(settings.smtp.listen),
        "http": str(settings.http.listen),
        "data_dir": str(settings.storage.data_dir),
        "upstream": f"{upstream.host}:{upstream.port}" if upstream.host else None,
        "security": upstream.security if upstream.host else None,
        "login": _login(upstream) if upstream.host else None,
        "sender": settings.sender_address,
        "routes": {route.name: list(route.recipients) for route in settings.routes},
    }


def _login(upstream: Upstream) -> str | None:
    if upstream.oauth2.enabled:
        provider = f"{upstream.oauth2.provider}, " if upstream.oauth2.provider else ""
        return f"OAuth2 ({provider}{upstream.oauth2.flow}) as {upstream.username}"
    return f"password as {upstream.username}" if upstream.username else None


def _summary(used: Mapping[str, Any]) -> list[str]:
    target = f"{used['upstream']} ({used['security']})" if used["upstream"] else "a local mailbox (no upstream is set)"
    lines = [
        f"valid: {used['file'] or 'defaults and environment'}",
        f"  accepts mail on {used['smtp']}",
        f"  pages on        http://{used['http']}/",
        f"  data directory  {used['data_dir']}",
        f"  sends through   {target}",
        *([f"  logs in with    {used['login']}"] if used["login"] else []),
        f"  from            {used['sender']}",
    ]
    return lines + [f"  route {name:<10}{', '.join(recipients)}" for name, recipients in used["routes"].items()]
