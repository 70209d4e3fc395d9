"""`health`: check that the receiver and the worker respond; with `--ready`, that digests are delivered."""

from __future__ import annotations

import contextlib
import smtplib
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, load_config

if TYPE_CHECKING:
    from relay.config import Listen


@click.command()
@config_option
@click.option("--ready", is_flag=True, help="Also check that digests are delivered (/readyz).")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds for each check.")
@click.pass_context
def health(ctx: click.Context, config: Path | None, *, ready: bool, timeout: float) -> None:
    """Check the running relay.

    The receiver must send its SMTP greeting, and the worker must be alive.
    """
    settings = load_config(config).settings
    checks = [_greeting(settings.smtp.listen, timeout), _page(settings.http.listen, "/livez", timeout)]
    if ready:
        checks.append(_page(settings.http.listen, "/readyz", timeout))
    for _, text in checks:
        click.echo(text)
    ctx.exit(0 if all(ok for ok, _ in checks) else 1)


def _reachable(listen: Listen) -> str:
    """Return the address to connect to: the loopback for a server that listens on every address."""
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
        with opener.open(url, timeout=timeout) as response:
            return True, f"worker: {path}: {response.read(2000).decode('utf-8', 'replace').strip()}"
    except urllib.error.HTTPError as error:
        return False, f"worker: {path}: {error.read(2000).decode('utf-8', 'replace').strip()}"
    except OSError as error:
        return False, f"worker: no answer from {listen}: {getattr(error, 'reason', error)}"
