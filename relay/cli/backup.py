"""`backup`, `restore`, `repair`: save all state to a file, restore it, repair a damaged ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import NO_LEDGER, config_option, settings_of
from relay.humanize import counted

if TYPE_CHECKING:
    from relay.ledger import Ledger
    from relay.ledger.repair.rebuild import Repaired


@click.command()
@config_option
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(config: Path | None, file: Path, *, force: bool) -> None:
    """Write all state to one file. The relay may run.

    The file holds error mails, so only its owner can read it. If FILE exists, nothing is written without --force.
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists: name another file, or replace it with --force")
    from relay.ledger import sqlite_file
    from relay.service.backup import back_up

    storage = settings_of(config).storage
    ledger_file = sqlite_file(storage.ledger_url)
    backlog, size = back_up(storage.data_dir, ledger_file, file.absolute())
    waiting = f", with {counted(backlog, 'mail')} not ingested yet" if backlog else ""
    click.echo(f"{file}: {counted(size, 'byte')}{waiting}")
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

    settings = settings_of(config)
    storage, path = settings.storage, sqlite_file(settings.storage.ledger_url)
    if path is None:
        raise LedgerError("the ledger is in PostgreSQL: repair it with the tools of that server, or restore a dump")
    if not storage.data_dir.exists():
        raise LedgerError(NO_LEDGER.format(folder=storage.data_dir))
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
        lines.append(f"{counted(found.dropped, 'message')} of the outbox not kept; the next digest reports the totals")
    if found.missing:
        lines.append(f"{counted(found.missing, 'mail')} in no other count any more, now counted as undelivered")
    if found.unexplained:
        lines.append(f"{counted(found.unexplained, 'mail')} no longer counted as received, and counted again now")
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
    lines = [f"{counted(waiting, 'mail')} in the spool not ingested yet; the worker will do that"]
    if reader.damage:
        size = sum(reader.damage.values())
        lines.append(
            f"{counted(len(reader.damage), 'region')} of the spool ({counted(size, 'byte')}) cannot be read:"
            " the mails there are lost"
        )
    return lines
