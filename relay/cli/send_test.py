"""`send-test`: send a test mail to all recipients through the upstream and print its replies."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from relay.cli.options import config_option, load_config
from relay.clock import utc_now


@click.command("send-test")
@config_option
@click.pass_context
def send_test(ctx: click.Context, config: Path | None) -> None:
    """Send a test mail to all recipients.

    It goes through the upstream at once. Prints the upstream's reply for each recipient.
    """
    from relay.compose.notes import when_news_comes
    from relay.deliver import open_target
    from relay.model import Verdict
    from relay.service.assembly import make_renderer

    settings = load_config(config).require_files("upstream")
    recipients = tuple(dict.fromkeys(address for route in settings.routes for address in route.recipients))
    expect = when_news_comes(settings.timing, settings.budget)
    lines = ("This is a test. If you can read it, error digests will reach you.", expect)
    mail = make_renderer(settings).notice(
        id=secrets.token_hex(16),
        recipients=recipients,
        created_at=utc_now(),
        title="Test of the error-mail relay",
        lines=lines,
    )
    target = open_target(settings)
    attempt = target.deliver(mail.raw, sender=settings.sender_address, recipients=recipients, before_data=lambda: None)
    if attempt.failure:
        click.echo(f"{target}: {attempt.failure}: {attempt.detail}", err=True)
    for address, reply in attempt.replies.items():
        click.echo(f"{address}: {reply.verdict} {reply.code or ''} {reply.text}")
    click.echo(expect)
    accepted = all(reply.verdict is Verdict.ACCEPTED for reply in attempt.replies.values())
    ctx.exit(0 if accepted and not attempt.failure else 1)
