"""`send-test`: a test mail to all recipients through the upstream, and its reply."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from relay.cli.options import config_option, settings_of
from relay.clock import utc_now


@click.command("send-test")
@config_option
@click.pass_context
def send_test(ctx: click.Context, config: Path | None) -> None:
    """Send a test mail to all recipients through the upstream, now, and say what it answered."""
    from relay.deliver import open_target
    from relay.model import Verdict
    from relay.service.assembly import make_renderer

    settings = settings_of(config)
    recipients = tuple(dict.fromkeys(address for route in settings.routes for address in route.recipients))
    lines = ("This is a test. If you can read it, error digests will reach you.",)
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
    for address, answer in attempt.replies.items():
        click.echo(f"{address}: {answer.verdict} {answer.code or ''} {answer.text}")
    taken = all(answer.verdict is Verdict.ACCEPTED for answer in attempt.replies.values())
    ctx.exit(0 if taken and not attempt.failure else 1)
