"""`explain`, `fingerprint`: why are these the same error?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, json_option, open_ledger, print_json, settings_of

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

    settings = settings_of(config)
    report = _report(settings, what)
    if report is None:
        click.echo(f"{what} is neither a file nor the ID of a known error with a sample", err=True)
        ctx.exit(1)
    found = fingerprint_of(report)
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
