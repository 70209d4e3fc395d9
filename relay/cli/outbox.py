"""`outbox list|retry|drop`: list the messages in the outbox, retry a dead letter, drop one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import format_time, print_json, print_table
from relay.clock import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from relay.ledger import Ledger


@click.group()
def outbox() -> None:
    """List messages; retry or drop dead letters."""


@outbox.command("list")
@config_option
@json_option
@click.option("--limit", default=50, show_default=True)
def list_messages(config: Path | None, *, as_json: bool, limit: int) -> None:
    """List the messages, the newest first."""
    settings = settings_of(config)
    found = open_ledger(settings).messages(limit=limit)
    if as_json:
        print_json(found)
        return
    zone = settings.time.tz
    rows = [
        (message.id[:8], message.state, format_time(message.created_at, zone), message.mails, message.subject)
        for message in found
    ]
    print_table("ID", "state", "created", "mails#", "subject", rows=rows)


@outbox.command("retry")
@config_option
@click.argument("message_id", metavar="ID")
@click.pass_context
def retry(ctx: click.Context, config: Path | None, message_id: str) -> None:
    """Send a dead letter again. The first characters of its ID are enough."""
    from relay.ledger import Ledger

    _change_dead_letter(ctx, config, message_id, Ledger.retry, "queued again")


@outbox.command("drop")
@config_option
@click.argument("message_id", metavar="ID")
@click.pass_context
def drop(ctx: click.Context, config: Path | None, message_id: str) -> None:
    """Drop a dead letter; its mails stay counted as undelivered."""
    from relay.ledger import Ledger

    _change_dead_letter(ctx, config, message_id, Ledger.drop, "dropped")


def _change_dead_letter(
    ctx: click.Context, config: Path | None, start: str, change: Callable[[Ledger, str, datetime], bool], done: str
) -> None:
    """Apply `change` to the dead letter whose ID starts with `start` and print `done`; exit 1 if there is not one."""
    from relay.model import MessageState

    ledger = open_ledger(settings_of(config))
    dead = ledger.messages(state=MessageState.DEAD, limit=10_000)
    ids = [message.id for message in dead if message.id.startswith(start)]
    if len(ids) == 1 and change(ledger, ids[0], utc_now()):
        click.echo(done)
        return
    several = "the ID of several dead letters starts with this: give more of it"
    click.echo(several if len(ids) > 1 else "there is no such dead letter", err=True)
    ctx.exit(1)
