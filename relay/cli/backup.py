"""`backup`, `restore`, `repair`: the state as a whole."""

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
    """Write all state to one file, while the relay works. The file holds error mails: it is for its owner alone."""
    from relay.ledger import sqlite_file
    from relay.service.backup import back_up

    storage = settings_of(config).storage
    ledger_file = sqlite_file(storage.ledger_url)
    unsorted, size = back_up(storage.data_dir, ledger_file, file.absolute())
    click.echo(f"{file}: {size:,} bytes, with {unsorted:,} mails that are not sorted yet")
    if ledger_file is None:
        click.echo("the ledger is PostgreSQL's and not in it: use pg_dump now, after this backup, not before", err=True)


@click.command()
@config_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config: Path | None, file: Path) -> None:
    """Put a backup into the data directory, which must be empty; the relay must not run."""
    from relay.service.backup import restore as put_back

    folder = settings_of(config).storage.data_dir
    names = put_back(file, folder)
    click.echo(f"restored to {folder}: {', '.join(names)}")


@click.command()
@config_option
@click.pass_context
def repair(ctx: click.Context, config: Path | None) -> None:
    """Save what can be read of a damaged ledger into a new one; the old file is kept. The receiver may go on."""
    from relay.clock import utc_now
    from relay.errors import LedgerError
    from relay.ledger import Ledger, sqlite_file
    from relay.ledger.repair.rebuild import repair as repair_ledger
    from relay.service.lock import hold_lock

    storage = settings_of(config).storage
    path = sqlite_file(storage.ledger_url)
    if path is None:
        raise LedgerError("the ledger is PostgreSQL's: repair it with the server's own tools, or restore a dump")
    with hold_lock(storage.data_dir, "worker"):
        found = repair_ledger(path, utc_now())
        if found is None:
            click.echo(f"nothing is wrong with {path}")
        else:
            click.echo("\n".join(_told(found, path)))
        ledger = Ledger.open(storage.ledger_url)
        ctx.call_on_close(ledger.close)
        for line in _spool(storage.data_dir, ledger):
            click.echo(line)


def _told(found: Repaired, path: Path) -> list[str]:
    """What came of it, in numbers."""
    lines = [
        f"{path} was damaged: {found.why}",
        f"the old file is kept as {found.damaged_file}",
        "saved (and lost) rows:",
    ]
    for each in found.tables:
        lost = "an unknown number" if each.lost is None else f"{each.lost:,}"
        lines.append(f"  {each.table:<12}{each.saved:>10,}  ({lost})")
    if found.dropped:
        lines.append(f"{found.dropped:,} letters could not be kept; the next digest tells of their totals")
    if found.missing:
        lines.append(f"{found.missing:,} mails stand nowhere any more and are booked as undelivered")
    if found.unexplained:
        lines.append(f"{found.unexplained:,} mails were not counted as received any more; they are now")
    return lines


def _spool(data_dir: Path, ledger: Ledger) -> list[str]:
    """What waits in the spool, and what of it cannot be read."""
    from relay.data_dir import DataDir
    from relay.spool import SpoolReader

    reader = SpoolReader(DataDir(data_dir).spool)
    position = ledger.cursor(reader.spool_id)
    waiting = 0
    while records := reader.read(position):
        waiting, position = waiting + len(records), records[-1].end
    lines = [f"{waiting:,} mails stand in the spool and will be sorted when the relay works"]
    if reader.damage:
        size = sum(reader.damage.values())
        lines.append(
            f"{len(reader.damage)} stretches of the spool ({size:,} bytes) cannot be read; the mails there are lost"
        )
    return lines
