"""`login`: log in once as the mailbox that sends the digests (OAuth2), or test the login of an application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay import humanize
from relay.cli.options import config_option, load_config
from relay.errors import ConfigError

if TYPE_CHECKING:
    from relay.config import Settings
    from relay.deliver import TokenSource
    from relay.deliver.oauth2.sign_in import DeviceCode
    from relay.deliver.oauth2.token import Token


@click.command()
@config_option
@click.pass_context
def login(ctx: click.Context, config: Path | None) -> None:
    """Log in once as the mailbox that sends the digests.

    For [upstream.oauth2]: shows what to open in a browser on any machine, and stores the result. Where no person has to
    log in, it asks for an access token and says whether the provider gives one. Messages that wait are tried again.
    """
    import asyncio

    from relay.cli.release import end_pause
    from relay.deliver import open_token_source
    from relay.deliver.oauth2.errors import TokenFailed
    from relay.outbox.token_advice import token_advice

    settings = load_config(config).require_files("upstream")
    tokens = open_token_source(settings)
    if tokens is None:
        raise ConfigError(
            ("[upstream.oauth2] is not set, so nobody has to log in: docs/providers.md says what to set",)
        )
    try:
        token = asyncio.run(_log_in(settings, tokens))
    except TokenFailed as failed:
        click.echo(f"{failed.detail}; {token_advice(failed.detail)}", err=True)
        ctx.exit(1)
    until = humanize.moment(token.expires_at, settings.time.tz)
    click.echo(f"The provider gave an access token for {settings.upstream.username}, valid until {until}.")
    if released := end_pause(settings):
        click.echo(f"{humanize.counted(released, 'waiting message')} queued for a try now")
    click.echo("Now `relay send-test` shows whether the mail server accepts it.")


async def _log_in(settings: Settings, tokens: TokenSource) -> Token:
    """Let a person log in, or get a token where nobody has to. Raises TokenFailed."""
    from relay.config import Grant
    from relay.deliver.oauth2.sign_in import SignIn

    flow = settings.upstream.oauth2.flow
    sign_in = SignIn(settings.upstream, tokens)
    if flow is Grant.DEVICE_CODE:
        return await sign_in.with_device_code(lambda code: _show(code, settings.upstream.username))
    if flow is Grant.AUTHORIZATION_CODE:
        page = sign_in.page()
        click.echo(f"Open this page in a browser and log in as {settings.upstream.username}:\n\n{page.url}\n")
        click.echo("The browser ends on a page that it cannot open. Copy the address of that page to here.")
        return await sign_in.with_page(page, click.prompt("Address of the last page", hide_input=True))
    click.echo(f"With {flow} no person has to log in.")
    return await tokens.new_token()


def _show(code: DeviceCode, mailbox: str) -> None:
    click.echo(f"Open {code.page} in a browser, log in as {mailbox}, and enter the code\n\n    {code.code}\n")
    click.echo(f"Waiting for at most {code.minutes} minutes ...")
