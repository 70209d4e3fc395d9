"""`outbox list|retry|drop`: list the messages in the outbox, send them now, drop a dead letter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay import humanize
from relay.cli.command_group import CommandGroup
from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import Right, format_time, print_json, print_table
from relay.clock import utc_now

if TYPE_CHECKING:
    from relay.ledger import Ledger, StoredMessage
    from relay.model import MessageState


@click.group(cls=CommandGroup)
def outbox() -> None:
    """List messages; send them now; drop dead letters."""


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
    print_table("ID", "state", "created", Right("mails"), "subject", rows=rows, empty="No digest has been made yet.")


@outbox.command("retry")
@config_option
@click.argument("message_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Every message that waits, and every dead letter.")
@click.pass_context
def retry(ctx: click.Context, config: Path | None, message_id: str | None, *, every: bool) -> None:
    """Send a waiting message now, or a dead letter again.

    The first characters of its ID are enough. The pause after a failure of the upstream ends, too.
    """
    from relay.model import MessageState

    if every is (message_id is not None):
        raise click.UsageError("give the ID of a message, or --all")
    ledger, now = open_ledger(settings_of(config)), utc_now()
    if message_id is None:
        waiting = ledger.try_now(now)
        revived = sum(ledger.retry(each.id, now) for each in reversed(_messages(ledger, MessageState.DEAD)))
        click.echo(
            f"{humanize.counted(waiting, 'waiting message')} and {humanize.counted(revived, 'dead letter')} queued"
        )
        return
    message = _find(ctx, [*_messages(ledger, MessageState.OPEN), *_messages(ledger, MessageState.DEAD)], message_id)
    done = ledger.retry(message.id, now) if message.state is MessageState.DEAD else ledger.try_now(now, message.id)
    if not done:
        click.echo("nothing to send: its recipients have another message queued, and get a catch-up digest", err=True)
        ctx.exit(1)
    click.echo("queued again" if message.state is MessageState.DEAD else "queued for a try now")


@outbox.command("drop")
@config_option
@click.argument("message_id", metavar="ID")
@click.pass_context
def drop(ctx: click.Context, config: Path | None, message_id: str) -> None:
    """Drop a dead letter; its mails stay counted as undelivered."""
    from relay.model import MessageState

    ledger = open_ledger(settings_of(config))
    message = _find(ctx, _messages(ledger, MessageState.DEAD), message_id, "dead letter")
    ledger.drop(message.id, utc_now())
    click.echo("dropped")


def _messages(ledger: Ledger, state: MessageState) -> list[StoredMessage]:
    return ledger.messages(state=state, limit=10_000)


def _find(
    ctx: click.Context, messages: list[StoredMessage], start: str, noun: str = "message that waits or is dead"
) -> StoredMessage:
    """Return the message whose ID starts with `start`; say what is wrong and exit 1 if there is not exactly one."""
    found = [message for message in messages if message.id.startswith(start)]
    if len(found) != 1:
        several = "several IDs start with this: give more of it"
        click.echo(several if found else f"there is no such {noun}", err=True)
        ctx.exit(1)
    return found[0]
