"""`status`, `groups`, `show`, `plan`, `render`: look at what the relay knows; nothing is changed, nothing is sent."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from relay import humanize
from relay.cli.options import config_option, json_option, open_ledger, print_json, settings_of
from relay.clock import utc_now
from relay.outbox.advice import delays, finding
from relay.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from relay.config import Settings
    from relay.ledger import Ledger
    from relay.model import Books, Group, Report
    from relay.schedule.route import Forecast
    from relay.spool import SpoolReader


_LOOKS = 20
"""How often the books are asked for at most until no batch is sorted meanwhile: a look takes far less than a batch."""


def shown(moment: datetime | None, zone: ZoneInfo) -> str:
    """Give a moment for people, to the second, in `zone`; "–" where there is none."""
    return humanize.moment(moment, zone) if moment else "–"


def table(*columns: str, rows: list[tuple[Any, ...]]) -> None:
    """Print a table that fits the terminal; texts from mails are neither markup nor commands to it."""
    grid = Table(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold", justify="right" if column.endswith("#") else "left")
    for row in rows:
        grid.add_row(*[Text(plain(str(cell))) for cell in row])
    Console(highlight=False, soft_wrap=False).print(grid)


# --- status -----------------------------------------------------------------------------------------------------------


@click.command()
@config_option
@json_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Show the books, the spool, the outbox and the upstream in one screen."""
    settings = settings_of(config)
    ledger = open_ledger(settings)
    found = _status(settings, ledger)
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        click.echo(f"{name.replace('_', ' '):<22}{_words(value, settings)}")


def _status(settings: Settings, ledger: Ledger) -> dict[str, Any]:
    from relay.data_dir import DataDir
    from relay.spool import SpoolReader

    reader = SpoolReader(DataDir(settings.storage.data_dir).spool)
    now = utc_now()
    books, unsorted = _counted(ledger, reader, now)
    upstream, tally = ledger.upstream(), ledger.tally()
    name = f"{settings.upstream.host}:{settings.upstream.port}" if settings.upstream.host else ""
    found = finding(upstream, name=name, next_letter_at=ledger.next_try_at(), now=now, zone=settings.time.tz)
    return {
        "received": books.received,
        "reported": books.reported,
        "pending": books.pending,
        "muted": books.muted,
        "ignored": books.ignored,
        "parked": books.parked,
        "undelivered": books.undelivered,
        "balanced": books.balanced,
        "spooled_unsorted": unsorted,
        "disk_free_mib": shutil.disk_usage(settings.storage.data_dir).free >> 20,
        "errors": tally.groups,
        "errors_pending": tally.groups_pending,
        "letters_open": tally.letters_open,
        "letters_dead": tally.letters_dead,
        "delayed": delays(ledger.delayed(), settings.time.tz) or "nobody",
        "upstream": found.words,
        "upstream_next_try": upstream.next_try_at,
        "last_delivery": upstream.last_success_at,
    }


def _counted(ledger: Ledger, reader: SpoolReader, now: datetime) -> tuple[Books, int]:
    """The books, and how many mails stand in the spool behind them.

    Where the worker went on in between, both are asked for again: what it sorted would be in neither, or in both.
    """
    for _ in range(_LOOKS):
        cursor = ledger.cursor(reader.spool_id)
        books, unsorted = ledger.books(now), reader.waiting(cursor) if reader.spool_id else 0
        if ledger.cursor(reader.spool_id) == cursor:
            break
    return books, unsorted


def _words(value: Any, settings: Settings) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO: please report this"
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else shown(value, settings.time.tz)


# --- groups, show -----------------------------------------------------------------------------------------------------


@click.command()
@config_option
@json_option
@click.option("--limit", default=50, show_default=True)
@click.option("--route", help="Only those of this route.")
@click.option("--app", help="Only those of this app.")
@click.option("--search", default="", help="Only those with this text in the title.")
def groups(config: Path | None, *, as_json: bool, limit: int, route: str | None, app: str | None, search: str) -> None:
    """List the errors, the one seen last first."""
    settings = settings_of(config)
    found = open_ledger(settings).groups(limit=limit, route=route, app=app, text=search)
    if as_json:
        print_json(found)
        return
    zone = settings.time.tz
    rows = [
        (g.id, g.phase, f"{g.occurrences:,}", f"{g.pending_occurrences:,}", shown(g.last_seen, zone), _name(g))
        for g in found
    ]
    table("ID#", "phase", "seen#", "pending#", "last seen", "error", rows=rows)


def _name(group: Group) -> str:
    return f"{group.title} [{group.app}]"


@click.command()
@config_option
@json_option
@click.argument("group_id", metavar="ID", type=int)
@click.pass_context
def show(ctx: click.Context, config: Path | None, group_id: int, *, as_json: bool) -> None:
    """Show one error: its counts, its course over the last day, its newest sample."""
    settings = settings_of(config)
    ledger = open_ledger(settings)
    group = ledger.group(group_id)
    if group is None:
        click.echo(f"there is no error {group_id}; `relay groups` lists them", err=True)
        ctx.exit(1)
    now = utc_now()
    samples, course = ledger.samples_of(group_id), ledger.course(group_id, now - timedelta(days=1), now)
    if as_json:
        print_json({"group": group, "samples": samples, "course": course})
        return
    zone = settings.time.tz
    facts = {
        "error": _name(group),
        "route": group.route,
        "level": group.level.name,
        "phase": group.phase,
        "first seen": shown(group.first_seen, zone),
        "last seen": shown(group.last_seen, zone),
        "count": f"{group.occurrences:,} ({group.mails:,} mails)",
        "pending": f"{group.pending_occurrences:,}",
        "told next": shown(group.due_at, zone),
        "muted until": shown(group.muted_until, zone),
        "fingerprint": f"{group.fingerprint} (version {group.version})",
        "course": humanize.blocks(course.counts) if course else "–",
    }
    for name, value in facts.items():
        click.echo(f"{name:<14}{plain(value)}")
    for sample in samples[:1]:
        click.echo(f"\nSample of {shown(sample.at, zone)}:\n")
        for name, value in _circumstances(sample.report):
            click.echo(plain(f"{name + ':':<20}{value}"))
        click.echo(plain(f"\n{sample.report.message}\n{sample.report.trace}".rstrip()))


def _circumstances(report: Report) -> Iterator[tuple[str, str]]:
    """Where it happened and to which request, as far as known."""
    yield "Location", report.location
    for name in ("environment", "host", "release", "process", "thread"):
        if value := getattr(report, name):
            yield name.capitalize(), value
    yield from report.request


# --- plan, render -----------------------------------------------------------------------------------------------------


@click.command()
@config_option
@json_option
def plan(config: Path | None, *, as_json: bool) -> None:
    """Say what would be told when, and why, if nothing more came in."""
    from relay.ledger import GroupOrder
    from relay.schedule.route import plan as forecasts

    settings = settings_of(config)
    ledger = open_ledger(settings)
    now, states, zone = utc_now(), ledger.route_states(), settings.time.tz
    found: list[Forecast] = []
    for route in settings.routes:
        groups = ledger.groups(limit=1000, order=GroupOrder.PENDING, route=route.name)
        last = states[route.name].last_digest_at if route.name in states else None
        found += forecasts(groups, last_digest_at=last, timing=route.timing, now=now)
    found = [forecast for forecast in found if forecast.at]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("Nothing is due: no error is waiting to be told.")
    else:
        rows = [(shown(f.at, zone), f.group.route, f.words, _name(f.group)) for f in found]
        table("when", "route", "why", "error", rows=rows)


@click.command()
@config_option
@click.option("--html", is_flag=True, help="The HTML part instead of the text.")
@click.option("--raw", is_flag=True, help="The whole mail as it would go out.")
def render(config: Path | None, *, html: bool, raw: bool) -> None:
    """Render the digests that the pending errors would make now (or a made-up one); nothing is sent or changed."""
    from relay.compose.example import specimen
    from relay.compose.render import html_part, text_part
    from relay.digest.preview import preview
    from relay.service.assembly import make_renderer

    settings = settings_of(config)
    renderer, now = make_renderer(settings), utc_now()
    found = preview(open_ledger(settings), renderer, settings, now)
    if not found:
        click.echo("Nothing is pending; this is a made-up digest.\n", err=True)
        found = [renderer.digest(specimen(now, settings.routes[-1].recipients))]
    for fault in (fault for mail in found for fault in mail.faults):
        click.echo(f"warning: {fault}", err=True)
    for mail in found:
        if raw:
            click.echo(mail.raw.decode("utf-8", "replace"))
        else:
            click.echo(html_part(mail.raw) if html else f"Subject: {mail.subject}\n\n{text_part(mail.raw)}")
