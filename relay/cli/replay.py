"""`replay`: what would have been sent for the mails of an old mailbox?"""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import Progress

from relay.cli.options import config_option, json_option, settings_of
from relay.cli.output import print_json, shown, table


@click.command()
@config_option
@json_option
@click.argument("mbox", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def replay(config: Path | None, mbox: Path, *, as_json: bool) -> None:
    """Play the mails of an mbox file in their own time and list the digests that would have come; nothing is sent."""
    import structlog

    from relay.service import replay as player

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # each of its digests would be a line
    settings = settings_of(config)
    records = player.read_mbox(mbox)
    with Progress(transient=True, disable=as_json) as bar:
        task = bar.add_task(f"{len(records)} mails", total=len(records))
        found = player.replay(records, settings, lambda done: bar.update(task, completed=done))
    if as_json:
        print_json({"letters": found.letters, "books": found.books})
        return
    zone = settings.time.tz
    table(
        "when",
        "route",
        "mails#",
        "subject",
        rows=[(shown(each.created_at, zone), each.route, each.mails, each.subject) for each in found.letters],
    )
    books = found.books
    click.echo(
        f"\n{books.received:,} mails would have become {len(found.letters):,}; {books.pending:,} pending at the end."
    )
