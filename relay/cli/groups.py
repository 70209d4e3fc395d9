"""`groups`, `show`, `mute`, `unmute`: list the known errors, show one, and switch its reports off and on."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay import humanize
from relay.cli.options import author_option, config_option, json_option, open_ledger, reason_option, settings_of
from relay.cli.output import Right, format_time, print_json, print_table, title_with_app
from relay.cli.steering import audit_lines, carry_out, merge_lines
from relay.clock import utc_now
from relay.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from relay.model import Group, Report, Timeline


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
    from relay.compose.notes import active_mute

    zone, now = settings.time.tz, utc_now()
    rows = [
        (
            g.id,
            g.phase,
            f"{g.occurrences:,}",
            f"{g.pending_occurrences:,}",
            format_time(g.last_seen, zone),
            active_mute(g, now, zone),
            title_with_app(g),
        )
        for g in found
    ]
    columns = (Right("ID"), "phase", Right("seen"), Right("pending"), "last seen", "muted", "error")
    filtered = bool(route or app or search)
    empty = "No error matches." if filtered else "No error has been received yet."
    print_table(*columns, rows=rows, empty=empty)


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
    group = ledger.face_of(group_id)
    if group is None:
        click.echo(f"there is no error {group_id}; `relay groups` lists them", err=True)
        ctx.exit(1)
    from relay.compose.context import rest_of

    now, group_id = utc_now(), group.id
    samples, timeline = ledger.samples_of(group_id), ledger.timeline(group_id, now - timedelta(days=1), now)
    members = ledger.members(group_id)
    if as_json:
        print_json({"group": group, "samples": samples, "course": timeline, "members": members})
        return
    zone = settings.time.tz
    facts = _facts(group, timeline, now, zone)
    for name, value in facts.items():
        if value:
            click.echo(f"{name:<14}{plain(value)}")
    for line in [*merge_lines(members, zone), *audit_lines(ledger, members, zone)]:
        click.echo(plain(line))
    for sample in samples[:1]:
        click.echo(f"\nSample of {format_time(sample.at, zone)}:\n")
        for name, value in _details(sample.report):
            click.echo(plain(f"{name + ':':<20}{value}"))
        click.echo(plain(f"\n{sample.report.message}\n{sample.report.trace}".rstrip()))
        if rest := rest_of(sample.report):
            click.echo(plain(f"\nThe rest of the mail:\n\n{rest}"))


def _facts(group: Group, timeline: Timeline | None, now: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Return what is known of the error, by label; "" for what is left out."""
    from relay.compose.notes import active_mute

    return {
        "error": title_with_app(group),
        "route": group.route,
        "level": group.level.name,
        "phase": group.phase,
        "first seen": format_time(group.first_seen, zone),
        "last seen": format_time(group.last_seen, zone),
        "count": _mails(group.occurrences, group.mails),
        "pending": f"{group.pending_occurrences:,}",
        "next report": format_time(group.due_at, zone),
        "muted": active_mute(group, now, zone) or "no",
        "muted so far": _mails(group.muted_occurrences, group.muted_mails) if group.muted_since else "",
        "fingerprint": f"{group.fingerprint} (version {group.version})",
        "timeline": humanize.blocks(timeline.counts) if timeline else "–",
    }


def _mails(occurrences: int, mails: int) -> str:
    return f"{occurrences:,} ({humanize.in_mails(mails) if occurrences else 'in 0 mails'})"


def _details(report: Report) -> Iterator[tuple[str, str]]:
    """Yield where the error happened and in which request, as far as known."""
    from relay.compose.context import telling_subject

    yield "Location", report.location
    if subject := telling_subject(report):
        yield "Subject", subject
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


class _RateType(click.ParamType[int]):
    """Occurrences an hour: `50/h`, `50`, or a minute: `5/min`."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d{1,9})(?:/(h|min))?", str(value).strip())
        if not found:
            self.fail(f"{value!r} is no rate: write a number an hour, such as 50/h", param, ctx)
        return int(found[1]) * (60 if found[2] == "min" else 1)


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@click.option("--for", "duration", type=_DurationType(), help="For how long, e.g. 2h or 7d.")
@click.option("--above", type=_RateType(), help="Until it exceeds this rate, e.g. 50/h or 5/min.")
@reason_option
@author_option
def mute(
    config: Path | None, group_id: int, duration: timedelta | None, above: int | None, reason: str, author: str
) -> None:
    """Stop reporting an error for a while, or until it exceeds a rate.

    Its mails are counted as muted. The next digest after the end of the mute says how many there were.
    """
    from relay.commands.actions import Mute
    from relay.compose.notes import active_mute

    if duration is None and above is None:
        raise click.UsageError("say how long: --for 2h, --above 50/h, or both")
    settings, now = settings_of(config), utc_now()
    until = now + duration if duration is not None else None
    done = carry_out(settings, Mute(error=group_id, until=until, above=above, author=author, reason=reason, at=now))
    click.echo(plain(f"muted {active_mute(done.group, now, settings.time.tz)}: {done.group.title}"))


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@reason_option
@author_option
def unmute(config: Path | None, group_id: int, reason: str, author: str) -> None:
    """Report an error again."""
    from relay.commands.actions import Unmute

    done = carry_out(settings_of(config), Unmute(error=group_id, author=author, reason=reason, at=utc_now()))
    click.echo(plain(f"no longer muted: {done.group.title}"))
