"""`replay`: list the digests that would have been sent for the mails of an old mailbox."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from relay.cli.options import config_option, json_option, settings_of
from relay.cli.output import Right, format_time, print_json, print_table
from relay.cli.progress import Progress
from relay.humanize import counted


@click.command()
@config_option
@json_option
@click.argument("mbox", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def replay(config: Path | None, mbox: Path, *, as_json: bool) -> None:
    """Replay the mails of an mbox file.

    Lists the digests that would have been sent, and when. Nothing is sent.
    """
    import structlog

    from relay.service.replay import read_mbox
    from relay.service.replay import replay as run_replay

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # otherwise each digest would be a log line
    settings = settings_of(config)
    progress = Progress(sys.stderr)
    progress.show(f"reading {mbox}")
    records = read_mbox(mbox)
    found = run_replay(records, settings, lambda done: progress.count(done, len(records)))
    progress.end()
    if as_json:
        print_json({"letters": found.messages, "books": found.books})
        return
    zone = settings.time.tz
    print_table(
        "when",
        "route",
        Right("mails"),
        "subject",
        rows=[(format_time(each.created_at, zone), each.route, each.mails, each.subject) for each in found.messages],
        empty="No digest would have been sent.",
    )
    books = found.books
    click.echo(
        f"\n{counted(books.received, 'mail')} would have become {counted(len(found.messages), 'digest')};"
        f" {counted(books.pending, 'mail')} would be pending at the end."
    )
