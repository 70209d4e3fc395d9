"""`backup`, `restore`, `repair`: save all state to a file, restore it, repair a damaged ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, settings_of

if TYPE_CHECKING:
    from relay.ledger import Ledger
    from relay.ledger.repair.rebuild import Repaired


@click.command()
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(config: Path | None, file: Path) -> None:
    """Write all state to one file. The relay may run.

    The file holds error mails, so only its owner can read it.
    """
    from relay.ledger import sqlite_file
    from relay.service.backup import back_up

    storage = settings_of(config).storage
    ledger_file = sqlite_file(storage.ledger_url)
    backlog, size = back_up(storage.data_dir, ledger_file, file.absolute())
    click.echo(f"{file}: {size:,} bytes, with {backlog:,} mails that are not ingested yet")
    if ledger_file is None:
        click.echo("the ledger is in PostgreSQL and not in this file: run pg_dump now, after this backup", err=True)


@click.command()
@config_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config: Path | None, file: Path) -> None:
    """Restore a backup. The data directory must be empty, and the relay must not run."""
    from relay.service.backup import restore as restore_backup

    folder = settings_of(config).storage.data_dir
    names = restore_backup(file, folder)
    click.echo(f"restored to {folder}: {', '.join(names)}")


@click.command()
@config_option
@click.pass_context
def repair(ctx: click.Context, config: Path | None) -> None:
    """Repair a damaged ledger. The relay may run.

    Saves what can be read into a new ledger and keeps the old file.
    """
    from relay.clock import utc_now
    from relay.errors import LedgerError
    from relay.ledger import Ledger, sqlite_file
    from relay.ledger.repair.rebuild import repair as repair_ledger
    from relay.service.lock import hold_lock

    storage = settings_of(config).storage
    path = sqlite_file(storage.ledger_url)
    if path is None:
        raise LedgerError("the ledger is in PostgreSQL: repair it with the tools of that server, or restore a dump")
    with hold_lock(storage.data_dir, "worker"):
        found = repair_ledger(path, utc_now())
        if found is None:
            click.echo(f"nothing is wrong with {path}")
        else:
            click.echo("\n".join(_repair_report(found, path)))
        ledger = Ledger.open(storage.ledger_url)
        ctx.call_on_close(ledger.close)
        for line in _spool_report(storage.data_dir, ledger):
            click.echo(line)


def _repair_report(found: Repaired, path: Path) -> list[str]:
    """Return lines that say in numbers what was saved and what is lost."""
    lines = [
        f"{path} was damaged: {found.why}",
        f"the old file is kept as {found.damaged_file}",
        "saved (and lost) rows:",
    ]
    for each in found.tables:
        lost = "an unknown number" if each.lost is None else f"{each.lost:,}"
        lines.append(f"  {each.table:<12}{each.saved:>10,}  ({lost})")
    if found.dropped:
        lines.append(f"{found.dropped:,} outbox messages could not be kept; the next digest reports their totals")
    if found.missing:
        lines.append(f"{found.missing:,} mails are in no other count any more and are now counted as undelivered")
    if found.unexplained:
        lines.append(f"{found.unexplained:,} mails were no longer counted as received; they are now")
    return lines


def _spool_report(data_dir: Path, ledger: Ledger) -> list[str]:
    """Return lines that say how many mails wait in the spool, and how much of it cannot be read."""
    from relay.data_dir import DataDir
    from relay.spool import SpoolReader

    reader = SpoolReader(DataDir(data_dir).spool)
    position = ledger.cursor(reader.spool_id)
    waiting = 0
    while records := reader.read(position):
        waiting, position = waiting + len(records), records[-1].end
    lines = [f"{waiting:,} mails wait in the spool; the worker will ingest them"]
    if reader.damage:
        size = sum(reader.damage.values())
        lines.append(
            f"{len(reader.damage)} regions of the spool ({size:,} bytes) cannot be read; the mails in them are lost"
        )
    return lines
