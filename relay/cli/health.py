"""`health`: whether receiver and worker are well; with `--ready`, whether mail really gets out."""

from __future__ import annotations

import contextlib
import smtplib
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, loaded

if TYPE_CHECKING:
    from relay.config import Listen


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
