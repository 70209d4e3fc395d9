"""`merge`, `unmerge`, `split`, `unsplit`, `rules`, `similar`, `audit`: decide which mails are one error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.command_group import CommandGroup
from relay.cli.options import author_option, config_option, json_option, open_ledger, reason_option, settings_of
from relay.cli.output import Right, format_time, print_json, print_table, title_with_app
from relay.clock import utc_now
from relay.humanize import counted
from relay.text import one_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from relay.commands.actions import Command
    from relay.commands.handle import Done
    from relay.config import Settings
    from relay.ledger import Ledger
    from relay.model import AuditRecord, Member, MergedBy, SplitRule

_MAX_MEMBERS = 10
"""Parts of a merged error that `relay show` lists."""
_MAX_ACTIONS = 5
"""Entries of the audit log that `relay show` lists."""


def carry_out(settings: Settings, command: Command) -> Done:
    """Carry out a command; print what others did to the same error just before."""
    from relay.commands.handle import carry_out as handle

    done = handle(open_ledger(settings), settings, command)
    for each in done.earlier:
        click.echo(plain(f"before: {_action(each, settings.time.tz)}"), err=True)
    return done


@click.command()
@config_option
@click.argument("errors", metavar="ID ID…", type=int, nargs=-1, required=True)
@click.option("--name", default="", help="A title for the merged error (else that of the first one).")
@reason_option
@author_option
def merge(config: Path | None, errors: tuple[int, ...], name: str, reason: str, author: str) -> None:
    """Make several errors one, also for all future mails.

    The first ID is the one that stays: its mute, its thread and its place in listings. `relay unmerge` undoes it.
    """
    from relay.commands.actions import Merge

    if len(errors) < 2:
        raise click.UsageError("say at least two errors to merge, by their IDs")
    settings = settings_of(config)
    done = carry_out(settings, Merge(errors=errors, name=name, author=author, reason=reason, at=utc_now()))
    group = done.group
    click.echo(plain(f"{done.record.summary}. It has {counted(group.occurrences, 'occurrence')} now."))


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@reason_option
@author_option
def unmerge(config: Path | None, group_id: int, reason: str, author: str) -> None:
    """Take an error out of the one that it was merged into.

    It gets back its own counts, past and present. With the ID of the merged error itself, all of its parts become
    errors of their own. What is taken out is never merged again by learning.
    """
    from relay.commands.actions import Unmerge

    done = carry_out(settings_of(config), Unmerge(error=group_id, author=author, reason=reason, at=utc_now()))
    click.echo(plain(f"{done.record.summary}."))


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@click.option("--by", "field", required=True, metavar="FIELD", help="host, path, release, word:3, …")
@reason_option
@author_option
def split(config: Path | None, group_id: int, field: str, reason: str, author: str) -> None:
    """Make several errors of one, by a field of its future mails.

    FIELD is logger, module, function, location, environment, host, release, subject, level, the path or endpoint of
    the request, or a word of the message such as word:3. The rule holds on every machine. `relay unsplit` undoes it.
    """
    from relay.commands.actions import Split
    from relay.model import split_field

    try:
        split_field(field)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    command = Split(error=group_id, field=field, author=author, reason=reason, at=utc_now())
    done = carry_out(settings_of(config), command)
    click.echo(plain(f"{done.record.summary}. Each {field} is an error of its own from the next mail on."))


@click.command()
@config_option
@click.argument("group_id", metavar="ID", type=int)
@reason_option
@author_option
def unsplit(config: Path | None, group_id: int, reason: str, author: str) -> None:
    """Undo a split: future mails are one error again.

    What the parts have counted stays with them; what is pending of them is still reported.
    """
    from relay.commands.actions import Unsplit

    command = Unsplit(error=group_id, author=author, reason=reason, at=utc_now())
    done = carry_out(settings_of(config), command)
    click.echo(plain(f"{done.record.summary}."))


@click.group(cls=CommandGroup)
def rules() -> None:
    """List the merges and splits in the ledger, or export them to relay.toml."""


@rules.command("list")
@config_option
@json_option
def rules_list(config: Path | None, *, as_json: bool) -> None:
    """List what was merged and split: who did it, when and why."""
    settings = settings_of(config)
    ledger = open_ledger(settings)
    merged = [each for face in ledger.merged_faces() for each in ledger.members(face.id) if each.by]
    splits = ledger.splits()
    if as_json:
        print_json({"merged": merged, "splits": splits})
        return
    zone = settings.time.tz
    rows: list[tuple[object, ...]] = [
        (each.group.id, f"merged into {each.into}", *_said(each.by, zone), title_with_app(each.group))
        for each in merged
        if each.by
    ]
    rows += [
        (each.group_id, f"split by {each.field}", *_said(each, zone), f"{each.title} [{each.app}]") for each in splits
    ]
    print_table(Right("ID"), "rule", "who", "when", "why", "error", rows=rows, empty="Nothing is merged or split.")


def _said(by: MergedBy | SplitRule, zone: ZoneInfo) -> tuple[str, str, str]:
    return by.author, format_time(by.at, zone), one_line(by.reason)


@rules.command("export")
@config_option
def rules_export(config: Path | None) -> None:
    """Print what people merged and split as [[rule]] tables for relay.toml."""
    from relay.commands.export import exported_rules

    for table in exported_rules(open_ledger(settings_of(config))):
        click.echo(plain(table) + "\n")


@click.command()
@config_option
@json_option
@click.argument("group_id", metavar="ID", type=int)
@click.pass_context
def similar(ctx: click.Context, config: Path | None, group_id: int, *, as_json: bool) -> None:
    """List errors that are nearly the same as this one, with the words that differ.

    Nothing is merged: `relay merge` does that.
    """
    from relay.commands.similar import similar_errors

    found = similar_errors(open_ledger(settings_of(config)), group_id)
    if found is None:
        click.echo(f"there is no error {group_id} with a sample; `relay groups` lists them", err=True)
        ctx.exit(1)
    if as_json:
        print_json(found)
        return
    rows = [
        (each.group.id, f"{each.group.occurrences:,}", f"{each.likeness:.0%}", each.difference, each.group.title)
        for each in found
    ]
    columns = (Right("ID"), Right("seen"), Right("alike"), "difference", "error")
    print_table(*columns, rows=rows, empty="No error is nearly the same.")


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines for other programs, the oldest first.")
@click.option("--limit", default=50, show_default=True)
@click.option("--error", "group_id", type=int, metavar="ID", help="Only what was done to this error.")
def audit(config: Path | None, limit: int, group_id: int | None, *, as_json: bool) -> None:
    """Show who changed what, when and why: mutes, merges, splits."""
    settings = settings_of(config)
    ledger = open_ledger(settings)
    about = [each.group.id for each in ledger.members(group_id)] or [group_id] if group_id is not None else None
    found = ledger.audit(group_ids=about, limit=limit)
    if as_json:
        for each in reversed(found):
            click.echo(json.dumps(_values(each), ensure_ascii=False))
        return
    rows = [
        (format_time(each.at, settings.time.tz), each.author, each.summary, one_line(each.reason)) for each in found
    ]
    print_table("when", "who", "what", "why", rows=rows, empty="Nothing has been changed yet.")


def _values(record: AuditRecord) -> dict[str, object]:
    names = ("id", "author", "action", "group_id", "route", "reason", "summary")
    return {
        "at": record.at.isoformat(),
        **{name: getattr(record, name) for name in names},
        "details": dict(record.details),
    }


def merge_lines(members: Sequence[Member], zone: ZoneInfo) -> Iterator[str]:
    """Yield what a merged error consists of, and who merged it; nothing for another one."""
    if len(members) < 2:
        return
    yield f"\nMerged from {counted(len(members), 'error')}:"
    for each in members[1 : _MAX_MEMBERS + 1]:
        count = counted(each.share.occurrences, "occurrence") if each.share else ""
        yield f"  {each.group.id}  {title_with_app(each.group)}, {count}"
        if by := each.by:
            who = by.author if _is_learned(by.author) else f"merged by {by.author}"
            yield f"      {who} at {format_time(by.at, zone)}" + (f": {by.reason}" if by.reason else "")
    if len(members) > _MAX_MEMBERS + 1:
        yield f"  and {len(members) - _MAX_MEMBERS - 1} more"


def audit_lines(ledger: Ledger, members: Sequence[Member], zone: ZoneInfo) -> Iterator[str]:
    """Yield the last things that people did to an error; nothing where there were none."""
    found = ledger.audit(group_ids=[each.group.id for each in members], limit=_MAX_ACTIONS)
    if found:
        yield "\nWhat was done:"
    for each in found:
        yield f"  {_action(each, zone)}"


def _action(record: AuditRecord, zone: ZoneInfo) -> str:
    why = f": {record.reason}" if record.reason else ""
    colon = ":" if _is_learned(record.author) else ""
    return f"{format_time(record.at, zone)}  {record.author}{colon} {record.summary}{why}"


def _is_learned(author: str) -> bool:
    from relay.model import LEARNED

    return author == LEARNED
