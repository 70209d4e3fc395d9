"""`replay`: list the digests that would have been sent for the mails of an old mailbox."""

from __future__ import annotations

from pathlib import Path

import click

from relay.cli.options import config_option, json_option, settings_of
from relay.cli.output import format_time, print_json, print_table


@click.command()
@config_option
@json_option
@click.argument("mbox", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def replay(config: Path | None, mbox: Path, *, as_json: bool) -> None:
    """Replay the mails of an mbox file.

    Lists the digests that would have been sent, and when. Nothing is sent.
    """
    import structlog
    from rich.progress import Progress

    from relay.service.replay import read_mbox
    from relay.service.replay import replay as run_replay

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # otherwise each digest would be a log line
    settings = settings_of(config)
    records = read_mbox(mbox)
    with Progress(transient=True, disable=as_json) as bar:
        task = bar.add_task(f"{len(records)} mails", total=len(records))
        found = run_replay(records, settings, lambda done: bar.update(task, completed=done))
    if as_json:
        print_json({"letters": found.messages, "books": found.books})
        return
    zone = settings.time.tz
    print_table(
        "when",
        "route",
        "mails#",
        "subject",
        rows=[(format_time(each.created_at, zone), each.route, each.mails, each.subject) for each in found.messages],
    )
    books = found.books
    click.echo(
        f"\n{books.received:,} mails would have become {len(found.messages):,} digests;"
        f" {books.pending:,} mails would be pending at the end."
    )
