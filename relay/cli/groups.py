"""`groups`, `show`, `mute`, `unmute`: the known errors, one error, and whether it is reported."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay import humanize
from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import name_of, print_json, shown, table
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
        (g.id, g.phase, f"{g.occurrences:,}", f"{g.pending_occurrences:,}", shown(g.last_seen, zone), name_of(g))
        for g in found
    ]
    table("ID#", "phase", "seen#", "pending#", "last seen", "error", rows=rows)


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
        "error": name_of(group),
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


class _Span(click.ParamType[timedelta]):
    """A duration as in the configuration."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from relay.config.values import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _timing(settings: Settings, group: Group) -> Timing:
    return next((route.timing for route in settings.routes if route.name == group.route), settings.timing)


def _change_mute(ctx: click.Context, config: Path | None, group_id: int, until: datetime | None) -> Group:
    from relay.schedule.group import mute as muted
    from relay.schedule.group import unmute as unmuted

    settings = settings_of(config)

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
@click.option("--for", "span", type=_Span(), required=True, help="How long, e.g. 2h or 7d.")
@click.pass_context
def mute(ctx: click.Context, config: Path | None, group_id: int, span: timedelta) -> None:
    """Tell nothing of an error for a while; its mails are counted as muted."""
    until = utc_now() + span
    group = _change_mute(ctx, config, group_id, until)
    click.echo(f"muted until {until:%Y-%m-%d %H:%M} UTC: {group.title}")


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@click.pass_context
def unmute(ctx: click.Context, config: Path | None, group_id: int) -> None:
    """Let an error be told again."""
    group = _change_mute(ctx, config, group_id, None)
    click.echo(f"no longer muted: {group.title}")
