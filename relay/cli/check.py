"""`check`: what is wrong in the configuration, the templates and the data directory, and where."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, loaded

if TYPE_CHECKING:
    from relay.config import Loaded, Settings


@click.command()
@config_option
@click.pass_context
def check(ctx: click.Context, config: Path | None) -> None:
    """Check the configuration, the templates and the data directory; say what is wrong and where."""
    found = loaded(config)
    problems = [*_bad_templates(found.settings), *_bad_folder(found.settings.storage.data_dir)]
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        ctx.exit(2)
    click.echo("\n".join(_summary(found)))


def _bad_templates(settings: Settings) -> list[str]:
    from relay.clock import utc_now
    from relay.compose.example import example_digest
    from relay.errors import TemplateError
    from relay.service.assembly import make_renderer

    try:
        renderer = make_renderer(settings)
        tried = renderer.digest(example_digest(utc_now(), settings.routes[-1].recipients))
    except TemplateError as error:
        return [f"templates: {error}"]
    return [f"templates: {fault}" for fault in tried.faults]


def _bad_folder(folder: Path) -> list[str]:
    """Try whether state can be written; an absent folder is judged by the nearest one that exists."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
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
    where = (
        f"{upstream.host}:{upstream.port} ({upstream.security})"
        if upstream.host
        else "a local mailbox (no upstream is set)"
    )
    lines = [
        f"fine: {found.file or 'defaults and environment'}",
        f"  takes mail on   {settings.smtp.listen}",
        f"  pages on        http://{settings.http.listen}/",
        f"  state in        {settings.storage.data_dir}",
        f"  sends through   {where}",
        f"  from            {settings.sender_address}",
    ]
    return lines + [f"  route {route.name:<10}{', '.join(route.recipients)}" for route in settings.routes]
