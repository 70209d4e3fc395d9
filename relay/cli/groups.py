"""`groups`, `show`, `mute`, `unmute`: list the known errors, show one, and switch its reports off and on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay import humanize
from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import format_time, print_json, print_table, title_with_app
from relay.clock import utc_now
from relay.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relay.config import Settings
    from relay.model import Group, Report, Timing


@click.command()
@config_option
@json_option
@click.option("--limit", default=50, show_default=True)
@click.option("--route", help="Only errors of this route.")
@click.option("--app", help="Only errors of this app.")
@click.option("--search", default="", help="Only errors with this text in the title.")
def groups(config: Path | None, *, as_json: bool, limit: int, route: str | None, app: str | None, search: str) -> None:
    """List the errors, the last seen first."""
    settings = settings_of(config)
    found = open_ledger(settings).groups(limit=limit, route=route, app=app, text=search)
    if as_json:
        print_json(found)
        return
    zone = settings.time.tz
    rows = [
        (
            g.id,
            g.phase,
            f"{g.occurrences:,}",
            f"{g.pending_occurrences:,}",
            format_time(g.last_seen, zone),
            title_with_app(g),
        )
        for g in found
    ]
    print_table("ID#", "phase", "seen#", "pending#", "last seen", "error", rows=rows)


@click.command()
@config_option
@json_option
@click.argument("group_id", metavar="ID", type=int)
@click.pass_context
def show(ctx: click.Context, config: Path | None, group_id: int, *, as_json: bool) -> None:
    """Show one error.

    Prints its counts, its timeline over the last day and its newest sample.
    """
    settings = settings_of(config)
    ledger = open_ledger(settings)
    group = ledger.group(group_id)
    if group is None:
        click.echo(f"there is no error {group_id}; `relay groups` lists them", err=True)
        ctx.exit(1)
    now = utc_now()
    samples, timeline = ledger.samples_of(group_id), ledger.timeline(group_id, now - timedelta(days=1), now)
    if as_json:
        print_json({"group": group, "samples": samples, "course": timeline})
        return
    zone = settings.time.tz
    facts = {
        "error": title_with_app(group),
        "route": group.route,
        "level": group.level.name,
        "phase": group.phase,
        "first seen": format_time(group.first_seen, zone),
        "last seen": format_time(group.last_seen, zone),
        "count": f"{group.occurrences:,} ({group.mails:,} mails)",
        "pending": f"{group.pending_occurrences:,}",
        "next report": format_time(group.due_at, zone),
        "muted until": format_time(group.muted_until, zone),
        "fingerprint": f"{group.fingerprint} (version {group.version})",
        "timeline": humanize.blocks(timeline.counts) if timeline else "–",
    }
    for name, value in facts.items():
        click.echo(f"{name:<14}{plain(value)}")
    for sample in samples[:1]:
        click.echo(f"\nSample of {format_time(sample.at, zone)}:\n")
        for name, value in _details(sample.report):
            click.echo(plain(f"{name + ':':<20}{value}"))
        click.echo(plain(f"\n{sample.report.message}\n{sample.report.trace}".rstrip()))


def _details(report: Report) -> Iterator[tuple[str, str]]:
    """Yield where the error happened and in which request, as far as known."""
    yield "Location", report.location
    for name in ("environment", "host", "release", "process", "thread"):
        if value := getattr(report, name):
            yield name.capitalize(), value
    yield from report.request


class _DurationType(click.ParamType[timedelta]):
    """A duration, written as in the configuration."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from relay.config.values import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _timing(settings: Settings, group: Group) -> Timing:
    """Return the timing of the error's route; `[timing]` if the route is no longer configured."""
    return next((route.timing for route in settings.all_routes if route.name == group.route), settings.timing)


def _change_mute(ctx: click.Context, settings: Settings, group_id: int, until: datetime | None) -> Group:
    from relay.schedule.group import mute as muted
    from relay.schedule.group import unmute as unmuted

    def change(group: Group) -> Group:
        timing = _timing(settings, group)
        return muted(group, until, timing) if until else unmuted(group, timing)

    group = open_ledger(settings).revise(group_id, change)
    if group is None:
        click.echo(f"there is no error {group_id}; `relay groups` lists them", err=True)
        ctx.exit(1)
    return group


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@click.option("--for", "duration", type=_DurationType(), required=True, help="For how long, e.g. 2h or 7d.")
@click.pass_context
def mute(ctx: click.Context, config: Path | None, group_id: int, duration: timedelta) -> None:
    """Stop reporting an error for a while. Its mails are counted as muted."""
    settings, until = settings_of(config), utc_now() + duration
    group = _change_mute(ctx, settings, group_id, until)
    click.echo(plain(f"muted until {format_time(until, settings.time.tz)}: {group.title}"))


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@click.pass_context
def unmute(ctx: click.Context, config: Path | None, group_id: int) -> None:
    """Report an error again."""
    group = _change_mute(ctx, settings_of(config), group_id, None)
    click.echo(plain(f"no longer muted: {group.title}"))
