"""`check`: check the configuration, the mail templates and the data directory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, load_config

if TYPE_CHECKING:
    from relay.config import Loaded, Settings


_ONLY_SERVICE = (
    "`relay serve` and `relay send-test` need it, and its systemd unit can pass it as a credential; "
    "commands that do not send work without it"
)


@click.command()
@config_option
@click.pass_context
def check(ctx: click.Context, config: Path | None) -> None:
    """Check the configuration.

    The mail templates and the data directory are checked too. Prints what is wrong and where.
    """
    found = load_config(config)
    files = found.file_problems()
    problems = [each.text for each in files if not each.only_here]
    problems += [*_template_problems(found.settings), *_data_dir_problems(found.settings.storage.data_dir)]
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        ctx.exit(2)
    click.echo("\n".join(_summary(found)))
    for each in files:
        click.echo(f"not checked here: {each.text}; {_ONLY_SERVICE}", err=True)


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


def _summary(found: Loaded) -> list[str]:
    settings = found.settings
    upstream = settings.upstream
    target = (
        f"{upstream.host}:{upstream.port} ({upstream.security})"
        if upstream.host
        else "a local mailbox (no upstream is set)"
    )
    lines = [
        f"valid: {found.file or 'defaults and environment'}",
        f"  accepts mail on {settings.smtp.listen}",
        f"  pages on        http://{settings.http.listen}/",
        f"  data directory  {settings.storage.data_dir}",
        f"  sends through   {target}",
        f"  from            {settings.sender_address}",
    ]
    return lines + [f"  route {route.name:<10}{', '.join(route.recipients)}" for route in settings.routes]
