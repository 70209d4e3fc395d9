"""`status`: show the books, the spool, the outbox and the upstream. Nothing is changed or sent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import format_time, print_json
from relay.clock import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from relay.config import Settings
    from relay.ledger import Ledger
    from relay.model import Books
    from relay.spool import SpoolReader


_MAX_READS = 20
"""How often at most the books are read until no batch is ingested meanwhile. A read takes far less than a batch."""
_LABELS = {
    "spooled_unsorted": "spooled, not ingested",
    "letters_open": "messages open",
    "letters_dead": "dead letters",
}
"""What the text output calls a value, where it is not the JSON key."""


@click.command()
@config_option
@json_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Show books, spool, outbox and upstream."""
    settings = settings_of(config)
    ledger = open_ledger(settings)
    found = _status(settings, ledger)
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        click.echo(f"{_LABELS.get(name, name.replace('_', ' ')):<22}{_format(value, settings)}")


def _status(settings: Settings, ledger: Ledger) -> dict[str, Any]:
    from relay.data_dir import DataDir
    from relay.outbox.advice import describe_bounces, describe_delays, upstream_health
    from relay.outbox.holds import budget_holds, describe_holds
    from relay.service.worker_name import upstream_key
    from relay.spool import SpoolReader

    reader = SpoolReader(DataDir(settings.storage.data_dir).spool)
    now = utc_now()
    books, backlog = _read_books(ledger, reader, now)
    upstream, tally = ledger.upstream(upstream_key(settings)), ledger.tally()
    name = f"{settings.upstream.host}:{settings.upstream.port}" if settings.upstream.host else ""
    found = upstream_health(upstream, name=name, next_message_at=ledger.next_try_at(), now=now, zone=settings.time.tz)
    return {
        "received": books.received,
        "reported": books.reported,
        "pending": books.pending,
        "muted": books.muted,
        "ignored": books.ignored,
        "parked": books.parked,
        "undelivered": books.undelivered,
        "balanced": books.balanced,
        "spooled_unsorted": backlog,
        "disk_free_mib": shutil.disk_usage(settings.storage.data_dir).free >> 20,
        "errors": tally.groups,
        "errors_pending": tally.groups_pending,
        "letters_open": tally.messages_open,
        "letters_dead": tally.messages_dead,
        "delayed": describe_delays(ledger.delayed(), settings.time.tz) or "nobody",
        "bouncing": describe_bounces(ledger.bouncing(now), settings.time.tz) or "nobody",
        "budget": describe_holds(budget_holds(ledger, settings, now), settings.budget, settings.time.tz)
        or "holds nothing back",
        "upstream": found.sentence,
        "upstream_next_try": upstream.next_try_at,
        "last_delivery": upstream.last_success_at,
        "upstream_checked": upstream.checked_at,
    }


def _read_books(ledger: Ledger, reader: SpoolReader, now: datetime) -> tuple[Books, int]:
    """Return the books, and the number of mails in the spool that are not in them yet.

    If the worker ingests a batch in between, both are read again: its mails would be counted twice, or not at all.
    """
    for _ in range(_MAX_READS):
        cursor = ledger.cursor(reader.spool_id)
        books, backlog = ledger.books(now), reader.waiting(cursor) if reader.spool_id else 0
        if ledger.cursor(reader.spool_id) == cursor:
            break
    return books, backlog


def _format(value: Any, settings: Settings) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO: please report this"
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else format_time(value, settings.time.tz)
