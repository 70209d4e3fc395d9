"""`explain`, `fingerprint`, `regroup`: why are these the same error, and what would be?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay.cli.looking import table
from relay.cli.options import config_option, json_option, open_ledger, print_json, settings_of

_ALL = 1_000_000

if TYPE_CHECKING:
    from relay.config import Settings
    from relay.model import Report


@click.command()
@config_option
@json_option
@click.argument("what", metavar="FILE|ID")
@click.pass_context
def explain(ctx: click.Context, config: Path | None, what: str, *, as_json: bool) -> None:
    """Say how the fingerprint of a mail (a file, `-` for standard input) or of a known error (its ID) came about."""
    from relay.fingerprint import fingerprint as fingerprint_of
    from relay.rules import Rules

    settings = settings_of(config)
    report = _report(settings, what)
    if report is None:
        click.echo(f"{what} is neither a file nor the ID of a known error with a sample", err=True)
        ctx.exit(1)
    found, _ = Rules(settings.rule).judge(report, fingerprint_of(report))
    if as_json:
        print_json({"fingerprint": found, "report": report})
        return
    click.echo(f"{found.title}\n{found.key} (version {found.version})\n\nRead as {report.form}, from {report.app}.")
    for number, step in enumerate(found.steps, 1):
        click.echo(f"{number:>3}. {step}")


def _report(settings: Settings, what: str) -> Report | None:
    from relay.redact import redact

    if what == "-" or Path(what).is_file():
        raw = sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes()
        return redact(_parsed(settings, raw))
    if not what.isdecimal():
        return None
    samples = open_ledger(settings).samples_of(int(what))
    return samples[0].report if samples else None


def _parsed(settings: Settings, raw: bytes) -> Report:
    from relay.clock import utc_now
    from relay.model import Envelope, Kept, Record
    from relay.parse import parse

    nobody = Envelope(sender="", recipients=(), peer="")
    record = Record(
        position=0, end=0, received_at=utc_now(), envelope=nobody, kept=Kept.WHOLE, content=raw, size=len(raw)
    )
    return parse(record, settings.app)


@click.command()
def fingerprint() -> None:
    """Read JSON lines {id, subject, body} and print {id, fingerprint} for each: for measuring the grouping."""
    from relay.fingerprint import fingerprint_lines

    for line in fingerprint_lines(sys.stdin):
        click.echo(line)


@click.command()
@config_option
@json_option
@click.option(
    "--dry-run",
    is_flag=True,
    required=True,
    expose_value=False,
    help="The only way: errors get their new group as their next mails come.",
)
def regroup(config: Path | None, *, as_json: bool) -> None:
    """Show what the rules and the fingerprint of today would make of the errors that are known, by their samples."""
    settings = settings_of(config)
    moves = _moves(settings)
    if as_json:
        print_json(moves)
    elif not moves:
        click.echo("Nothing would change: every error keeps its group.")
    else:
        rows = [(move["id"], move["title"], move["becomes"], ", ".join(map(str, move["with"]))) for move in moves]
        table("ID#", "error", "would be", "together with", rows=rows)


def _moves(settings: Settings) -> list[dict[str, Any]]:
    """The groups whose newest sample has another key now, or would be ignored; `with` are those of the same new key."""
    from relay.fingerprint import fingerprint as fingerprint_of
    from relay.rules import Rules

    ledger, rules = open_ledger(settings), Rules(settings.rule)
    judged = []
    for group in ledger.groups(limit=_ALL):
        if samples := ledger.samples_of(group.id):
            found, ignored = rules.judge(samples[0].report, fingerprint_of(samples[0].report))
            judged.append((group, "" if ignored else found.key, "ignored" if ignored else found.title))
    return [
        {
            "id": group.id,
            "title": group.title,
            "becomes": becomes,
            "with": [other.id for other, its, _ in judged if its == key and key and other.id != group.id],
        }
        for group, key, becomes in judged
        if key != group.fingerprint
    ]
