"""`outbox`: the messages that wait, and dead letters: list them, try them again, drop them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import print_json, shown, table
from relay.clock import utc_now
from relay.ledger import Ledger
from relay.model import MessageState

if TYPE_CHECKING:
    pass


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
    found = open_ledger(settings).messages(limit=limit)
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
    ids = [
        letter.id for letter in ledger.messages(state=MessageState.DEAD, limit=10_000) if letter.id.startswith(start)
    ]
    if len(ids) == 1 and act(ledger, ids[0], utc_now()):
        click.echo(done)
        return
    several = "several dead letters begin so: give more digits" if len(ids) > 1 else "there is no such dead letter"
    click.echo(several, err=True)
    ctx.exit(1)
