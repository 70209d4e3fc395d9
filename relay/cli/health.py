"""`health`, `check`: are the processes well, would they be?"""

from __future__ import annotations

import contextlib
import os
import smtplib
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, loaded

if TYPE_CHECKING:
    from relay.config import Listen, Loaded, Settings


@click.command()
@config_option
@click.option("--ready", is_flag=True, help="Also ask whether mail really gets out (/readyz).")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds each question may take.")
@click.pass_context
def health(ctx: click.Context, config: Path | None, *, ready: bool, timeout: float) -> None:
    """Ask the running relay how it is: does the receiver greet, does the worker live?"""
    settings = loaded(config).settings
    answers = [_greeting(settings.smtp.listen, timeout), _page(settings.http.listen, "/livez", timeout)]
    if ready:
        answers.append(_page(settings.http.listen, "/readyz", timeout))
    for _, words in answers:
        click.echo(words)
    ctx.exit(0 if all(fine for fine, _ in answers) else 1)


def _reachable(listen: Listen) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 -- compared, not bound


def _greeting(listen: Listen, timeout: float) -> tuple[bool, str]:
    try:
        with contextlib.closing(smtplib.SMTP(timeout=timeout)) as client:
            code, _ = client.connect(_reachable(listen), listen.port)
            client.quit()
    except (OSError, smtplib.SMTPException) as error:
        return False, f"receiver: no greeting from {listen}: {getattr(error, 'strerror', None) or error}"
    return code == 220, f"receiver: answers {code} on {listen}"


def _page(listen: Listen, path: str, timeout: float) -> tuple[bool, str]:
    host = _reachable(listen)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listen.port}{path}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as answer:
            return True, f"worker: {path}: {answer.read(2000).decode('utf-8', 'replace').strip()}"
    except urllib.error.HTTPError as error:
        return False, f"worker: {path}: {error.read(2000).decode('utf-8', 'replace').strip()}"
    except OSError as error:
        return False, f"worker: no answer from {listen}: {getattr(error, 'reason', error)}"


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
    from relay.compose.example import specimen
    from relay.errors import TemplateError
    from relay.service.assembly import make_renderer

    try:
        renderer = make_renderer(settings)
        tried = renderer.digest(specimen(utc_now(), settings.routes[-1].recipients))
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
