"""`mute`, `unmute`, `outbox`, `send-test`: what an administrator does."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, json_option, open_ledger, print_json, settings_of
from relay.cli.status import shown, table
from relay.clock import utc_now
from relay.ledger import Ledger
from relay.model import LetterState

if TYPE_CHECKING:
    from relay.config import Settings, Timing
    from relay.model import Group


class _Span(click.ParamType[timedelta]):
    """A duration as in the configuration."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from relay.config.values import duration

        try:
            return duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _timing(settings: Settings, group: Group) -> Timing:
    return next((route.timing for route in settings.routes if route.name == group.route), settings.timing)


def _change_mute(ctx: click.Context, config: Path | None, group_id: int, until: datetime | None) -> Group:
    from relay.schedule.group import mute as muted
    from relay.schedule.group import unmute as unmuted

    settings = settings_of(config)

    def change(group: Group) -> Group:
        timing = _timing(settings, group)
        return muted(group, until, timing) if until else unmuted(group, timing)

    group = open_ledger(settings).revise(group_id, change)
    if group is None:
        click.echo(f"there is no error {group_id}; `relay groups` lists them", err=True)
        ctx.exit(1)
    return group


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@click.option("--for", "span", type=_Span(), required=True, help="How long, e.g. 2h or 7d.")
@click.pass_context
def mute(ctx: click.Context, config: Path | None, group_id: int, span: timedelta) -> None:
    """Tell nothing of an error for a while; its mails are counted as muted."""
    until = utc_now() + span
    group = _change_mute(ctx, config, group_id, until)
    click.echo(f"muted until {until:%Y-%m-%d %H:%M} UTC: {group.title}")


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@click.pass_context
def unmute(ctx: click.Context, config: Path | None, group_id: int) -> None:
    """Let an error be told again."""
    group = _change_mute(ctx, config, group_id, None)
    click.echo(f"no longer muted: {group.title}")


@click.group()
def outbox() -> None:
    """Look at the letters on their way and at dead ones."""


@outbox.command("list")
@config_option
@json_option
@click.option("--limit", default=50, show_default=True)
def list_letters(config: Path | None, *, as_json: bool, limit: int) -> None:
    """List the letters, the newest first."""
    settings = settings_of(config)
    found = open_ledger(settings).letters(limit=limit)
    if as_json:
        print_json(found)
        return
    zone = settings.time.tz
    rows = [
        (letter.id[:8], letter.state, shown(letter.created_at, zone), letter.mails, letter.subject) for letter in found
    ]
    table("ID", "state", "made", "mails#", "subject", rows=rows)


@outbox.command("retry")
@config_option
@click.argument("letter_id", metavar="ID")
@click.pass_context
def retry(ctx: click.Context, config: Path | None, letter_id: str) -> None:
    """Try a dead letter again (the first digits of its ID are enough)."""
    _treat(ctx, config, letter_id, Ledger.retry, "queued again")


@outbox.command("drop")
@config_option
@click.argument("letter_id", metavar="ID")
@click.pass_context
def drop(ctx: click.Context, config: Path | None, letter_id: str) -> None:
    """Let a dead letter go; its mails stay booked as undelivered."""
    _treat(ctx, config, letter_id, Ledger.drop, "dropped")


def _treat(
    ctx: click.Context, config: Path | None, start: str, act: Callable[[Ledger, str, datetime], bool], done: str
) -> None:
    """Do something about the one dead letter whose ID begins with `start`; exit code 1 where there is none."""
    ledger = open_ledger(settings_of(config))
    ids = [letter.id for letter in ledger.letters(state=LetterState.DEAD, limit=10_000) if letter.id.startswith(start)]
    if len(ids) == 1 and act(ledger, ids[0], utc_now()):
        click.echo(done)
        return
    several = "several dead letters begin so: give more digits" if len(ids) > 1 else "there is no such dead letter"
    click.echo(several, err=True)
    ctx.exit(1)


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
    if attempt.trouble:
        click.echo(f"{target}: {attempt.trouble}: {attempt.detail}", err=True)
    for address, answer in attempt.answers.items():
        click.echo(f"{address}: {answer.verdict} {answer.code or ''} {answer.text}")
    taken = all(answer.verdict is Verdict.TAKEN for answer in attempt.answers.values())
    ctx.exit(0 if taken and not attempt.trouble else 1)
