"""`explain`, `fingerprint`, `regroup`: why mails are the same error, and what today's rules would change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import Right, print_json, print_table
from relay.errors import LedgerError
from relay.text import plain

_ALL = 1_000_000
_MAX_LINES = 12
"""Lines of one side of a comparison."""

if TYPE_CHECKING:
    from relay.config import Settings
    from relay.grouping.compare import Aspect, Case
    from relay.grouping.regroup import Move
    from relay.grouping.splits import Splits
    from relay.model import Report


@click.command()
@config_option
@json_option
@click.argument("what", metavar="FILE|ID")
@click.argument("other", metavar="[FILE|ID]", required=False)
@click.pass_context
def explain(ctx: click.Context, config: Path | None, what: str, other: str | None, *, as_json: bool) -> None:
    """Explain the fingerprint of a mail or error.

    FILE is a mail (`-` for standard input), ID a known error. With two of them: say whether they are the same error,
    and why.
    """
    if what == other == "-":
        raise click.UsageError("only one of the two can come from standard input")
    settings = settings_of(config)
    cases = [_cases(ctx, settings, each) for each in (what, other) if each is not None]
    if len(cases) > 1:
        _compare(what, str(other), *(each[0] for each in cases), as_json=as_json)
        return
    case, *further = cases[0]
    if as_json:
        others = [{"fingerprint": each.judged.fingerprint, "report": each.report} for each in further]
        print_json({"fingerprint": case.judged.fingerprint, "report": case.report, "further": others})
        return
    for line in _explained(settings, what, case):
        click.echo(plain(line))
    if further:
        click.echo("\nFurther errors in this mail, which are counted and reported each, without a mail of their own:")
    for each in further:
        click.echo(plain(f"  {each.judged.fingerprint.title} ({each.judged.fingerprint.key})"))


def _explained(settings: Settings, what: str, case: Case) -> Iterator[str]:
    """Yield how a mail was read, what its fingerprint is made of, and what it was merged with."""
    report, found = case.report, case.judged.fingerprint
    yield f"{found.title}\n{found.key} (version {found.version})\n\nRead as {report.form}, from {report.app}."
    for line in _reading(what):
        yield f"     {line}"
    if report.reason:
        yield f"     chosen: {report.reason}"
    for number, step in enumerate(found.steps, 1):
        yield f"{number:>3}. {step}"
    if report.app_guessed:
        yield _guessed(report)
    yield from _merged(settings, what)


def _reading(what: str) -> Iterator[str]:
    """Yield how a mail in a file was read; nothing for a known error, and for standard input, which is read once."""
    if what != "-" and Path(what).is_file():
        from relay.parse.explain import how_it_is_read

        yield from how_it_is_read(Path(what).read_bytes())


def _merged(settings: Settings, what: str) -> Iterator[str]:
    """Yield with which errors a known error is merged, and what people did to it; nothing for a mail in a file."""
    if not what.isdecimal() or Path(what).exists():
        return
    from relay.cli.steering import audit_lines, merge_lines

    ledger, zone = open_ledger(settings), settings.time.tz
    members = ledger.members(int(what))
    yield from merge_lines(members, zone)
    yield from audit_lines(ledger, members, zone)


def _guessed(report: Report) -> str:
    from relay.ingest.app_names import MAX_GUESSED_NAMES
    from relay.parse.report import app_of_sender

    return (
        f"\nThe app is guessed: it is the subject of the mail. A sender has at most {MAX_GUESSED_NAMES} such names; "
        f"mails with a further one are shown under {app_of_sender(report.sender)}. "
        "To name the app, write an [[app]] rule."
    )


def _cases(ctx: click.Context, settings: Settings, what: str) -> list[Case]:
    """Take a mail's errors, or a known error, through fingerprint, rules and routes.

    The worst error of a mail comes first. Exits with code 1 if there is no such mail.
    """
    from relay.grouping.compare import Case
    from relay.grouping.fingerprint import fingerprint as fingerprint_of
    from relay.grouping.routing import Router
    from relay.grouping.rules import Rules

    reports = _reports(settings, what)
    if not reports:
        click.echo(f"{what} is neither a file nor the ID of a known error with a sample", err=True)
        ctx.exit(1)
    rules, router, splits = Rules(settings.rule), Router(settings.all_routes), _splits(settings)
    cases = []
    for report in reports:
        found = fingerprint_of(report, steps=True)
        judged = rules.judge(report, found)
        judged = judged._replace(fingerprint=splits.judge(report, judged.fingerprint).fingerprint)
        route = router.route(report, judged.fingerprint.title)
        cases.append(Case(report=report, found=found, judged=judged, route=route))
    return cases


def _splits(settings: Settings) -> Splits:
    """Return the split rules of the ledger; none where there is no ledger."""
    from relay.cli.options import has_ledger
    from relay.grouping.rules import Rules
    from relay.grouping.splits import Splits
    from relay.ingest.versions import VERSIONS

    try:
        found = open_ledger(settings).splits() if has_ledger(settings) else []
    except LedgerError as error:
        click.echo(f"warning: without the splits of the ledger: {error}", err=True)
        found = []
    return Splits(found, Rules(settings.rule), VERSIONS)


def _compare(what: str, other: str, one: Case, two: Case, *, as_json: bool) -> None:
    from relay.grouping.compare import compare

    found = compare(one, two)
    if as_json:
        keys = [case.judged.fingerprint.key for case in (one, two)]
        print_json({"same": found.same, "why": found.why, "hint": found.hint, "keys": keys, "aspects": found.aspects})
        return
    click.echo(f"{'The same error' if found.same else 'Two errors'}: {found.why}.")
    if found.hint:
        click.echo(f"Nearly the same: {found.hint}.")
    for counts, heading in ((True, "What counts"), (False, "Differs, but does not count")):
        if rows := [_side_by_side(aspect) for aspect in found.aspects if aspect.counts is counts]:
            click.echo()
            print_table(heading, "", Path(what).name, Path(other).name, rows=rows)


def _side_by_side(aspect: Aspect) -> tuple[str, str, str, str]:
    one, other = ("\n".join(each[:_MAX_LINES]) or "–" for each in (aspect.one, aspect.other))
    return (aspect.name, "=" if aspect.same else "≠", one, other)


def _reports(settings: Settings, what: str) -> list[Report]:
    from relay.redact import Redactor

    if what == "-" or Path(what).is_file():
        raw = sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes()
        return Redactor(settings.redact).redact_all(_parsed(settings, raw))
    if not what.isdecimal():
        return []
    return [sample.report for sample in open_ledger(settings).samples_of(int(what), parts=False)[:1]]


def _parsed(settings: Settings, raw: bytes) -> list[Report]:
    from relay.clock import utc_now
    from relay.ingest.ours import ourselves
    from relay.model import Envelope, Record, Retained
    from relay.parse.report import parse_all

    nobody = Envelope(sender="", recipients=(), peer="")
    record = Record(
        position=0, end=0, received_at=utc_now(), envelope=nobody, retained=Retained.WHOLE, content=raw, size=len(raw)
    )
    return parse_all(record, settings.app, ourselves(settings))


@click.command()
@click.option(
    "--learn",
    is_flag=True,
    help="Learn from the mails in their order, as the worker does; print {id, fingerprint, group} after the last one.",
)
def fingerprint(*, learn: bool) -> None:
    """Print the fingerprints of many mails.

    Reads JSON lines {id, subject, body} and prints {id, fingerprint} for each, to measure the grouping.
    """
    from relay.ingest.batch import fingerprint_lines, learn_lines

    for line in learn_lines(sys.stdin) if learn else fingerprint_lines(sys.stdin):
        click.echo(line)


@click.command()
@config_option
@json_option
@click.option(
    "--dry-run",
    is_flag=True,
    required=True,
    expose_value=False,
    help="Required: regroup changes nothing. An error gets its new group with its next mail.",
)
def regroup(config: Path | None, *, as_json: bool) -> None:
    """Show how today's rules would group known errors.

    The samples of each known error go through today's fingerprint and rules. Nothing is changed.
    """
    from relay.grouping.regroup import Fate
    from relay.ingest.versions import VERSIONS

    found = _moves(settings_of(config))
    if as_json:
        print_json([_as_json(move) for move in found])
        return
    carried = sum(move.fate is Fate.CARRIED for move in found)
    changes = [move for move in found if move.fate is not Fate.CARRIED]
    if carried:
        click.echo(f"Carried over unchanged to version {VERSIONS.number} of the fingerprint: {carried:,}.")
    if changes:
        rows = [(move.group.id, move.group.title, move.fate, move.becomes, _others(move)) for move in changes]
        print_table(Right("ID"), "error", "would be", "as", "with", rows=rows)
    elif not carried:
        click.echo("Nothing would change: every error keeps its group.")


def _moves(settings: Settings) -> list[Move]:
    from relay.grouping.regroup import KnownError, moves
    from relay.grouping.rules import Rules
    from relay.grouping.splits import Splits
    from relay.ingest.versions import VERSIONS

    ledger = open_ledger(settings)
    known = (
        KnownError(group=group, samples=[sample.report for sample in ledger.samples_of(group.id, parts=False)])
        for group in ledger.groups(limit=_ALL, parts=True)
    )
    rules = Rules(settings.rule)
    return moves(known, rules, VERSIONS, Splits(ledger.splits(), rules, VERSIONS))


def _others(move: Move) -> str:
    joined = [f"ID {number}" for number in move.joins]
    return ", ".join([*joined, *move.parts])


def _as_json(move: Move) -> dict[str, Any]:
    return {
        "id": move.group.id,
        "title": move.group.title,
        "fate": move.fate,
        "becomes": move.becomes,
        "with": move.joins,
        "parts": move.parts,
    }
