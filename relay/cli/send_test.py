"""`send-test`: send a test mail to all recipients through the upstream and print its replies."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay import humanize
from relay.cli.options import config_option, load_config
from relay.clock import utc_now
from relay.errors import LedgerError

if TYPE_CHECKING:
    from relay.config import Settings


@click.command("send-test")
@config_option
@click.pass_context
def send_test(ctx: click.Context, config: Path | None) -> None:
    """Send a test mail to all recipients.

    It goes through the upstream at once. Prints the upstream's reply for each recipient. If the upstream accepts it,
    every message that waits for the upstream is sent now.
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
    accepted = [reply.verdict is Verdict.ACCEPTED for reply in attempt.replies.values()]
    if any(accepted):
        _release_waiting(settings)
    ctx.exit(0 if all(accepted) and not attempt.failure else 1)


def _release_waiting(settings: Settings) -> None:
    """Store that the upstream works, and make every waiting message due. Nothing to do if there is no ledger yet."""
    from relay.ledger import Ledger, sqlite_file
    from relay.outbox.retry import state_after_success
    from relay.service.worker_name import upstream_key

    file = sqlite_file(settings.storage.ledger_url)
    if file is not None and not file.exists():
        return
    try:
        with contextlib.closing(Ledger.open(settings.storage.ledger_url, create=False)) as ledger:
            now = utc_now()
            key = upstream_key(settings)
            ledger.save_upstream(key, state_after_success(ledger.upstream(key), now))
            waiting = ledger.try_now(now)
    except LedgerError as error:
        click.echo(f"messages that wait stay as they are: {error}", err=True)
        return
    if waiting:
        click.echo(f"{humanize.counted(waiting, 'waiting message')} queued for a try now")
