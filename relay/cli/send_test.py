"""`send-test`: send a test mail through the upstream and print its replies; if it works, send what waits for it."""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay import humanize
from relay.cli.options import config_option, json_option, load_config
from relay.cli.output import print_json
from relay.clock import utc_now

if TYPE_CHECKING:
    from relay.model import Attempt


@click.command("send-test")
@click.option("--verbose", is_flag=True, help="Show the whole dialogue with the upstream, with secrets masked.")
@config_option
@json_option
@click.pass_context
def send_test(ctx: click.Context, config: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Send a test mail to all recipients.

    It goes through the upstream at once. Prints the upstream's reply for each recipient, and what to do about a
    refusal. If the upstream accepts it, every message that waits for the upstream is sent now.
    """
    from relay.cli.release import release_waiting
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
    target = open_target(settings, show=partial(click.echo, err=as_json) if verbose else None)
    attempt = target.deliver(mail.raw, sender=settings.sender_address, recipients=recipients, before_data=lambda: None)
    accepted = [reply.verdict is Verdict.ACCEPTED for reply in attempt.replies.values()]
    fine = all(accepted) and not attempt.failure
    if as_json:
        released = release_waiting(settings) if any(accepted) else 0
        print_json({"ok": fine, "target": str(target), **_as_json(attempt), "expect": expect, "released": released})
        ctx.exit(0 if fine else 1)
    _print_attempt(attempt)
    click.echo(expect)
    if any(accepted) and (released := release_waiting(settings)):
        click.echo(f"{humanize.counted(released, 'waiting message')} queued for a try now")
    ctx.exit(0 if fine else 1)


def _print_attempt(attempt: Attempt) -> None:
    """Print the reply for each recipient, or the failure, and what to do about it."""
    from relay.model import Verdict
    from relay.outbox.advice import advice_on, advice_on_failure

    if attempt.failure:
        advice = advice_on_failure(attempt.failure, attempt.detail)
        click.echo(f"{attempt.failure}: {attempt.detail}; {advice}", err=True)
    for address, reply in attempt.replies.items():
        advice = "" if reply.verdict is Verdict.ACCEPTED else f"; {advice_on(reply)}"
        click.echo(f"{address}: {reply.cause.meaning}: {reply}{advice}")


def _as_json(attempt: Attempt) -> dict[str, Any]:
    replies = [
        {"recipient": address, "verdict": reply.verdict, "code": reply.code or None, "text": reply.text}
        for address, reply in attempt.replies.items()
    ]
    return {"failure": attempt.failure, "detail": attempt.detail, "replies": replies}
