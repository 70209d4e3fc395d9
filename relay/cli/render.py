"""`render`: print the digests that would be sent now. Nothing is changed or sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay.cli.options import config_option, has_ledger, json_option, open_ledger, settings_of
from relay.cli.output import print_json
from relay.clock import utc_now

if TYPE_CHECKING:
    from relay.model import Rendered


@click.command()
@config_option
@json_option
@click.option("--html", is_flag=True, help="Print the HTML part instead of the text.")
@click.option("--raw", is_flag=True, help="Print the whole mail as it would be sent.")
def render(config: Path | None, *, as_json: bool, html: bool, raw: bool) -> None:
    """Print the digests that would be sent now.

    Prints an example if nothing is pending. Nothing is changed or sent.
    """
    from relay.compose.example import example_digest
    from relay.compose.message import html_part, text_part
    from relay.digest.preview import preview
    from relay.service.assembly import make_renderer

    settings = settings_of(config)
    renderer, now = make_renderer(settings), utc_now()
    known = has_ledger(settings)
    found = preview(open_ledger(settings), renderer, settings, now) if known else []
    is_example = not found
    if is_example:
        found = [renderer.digest(example_digest(now, settings.routes[-1].recipients))]
    if as_json:
        print_json([{"example": is_example, **_as_json(mail)} for mail in found])
        return
    if is_example:
        why = "Nothing is pending" if known else f"No relay has run with {settings.storage.data_dir}"
        click.echo(f"{why}; this is an example digest.\n", err=True)
    for fault in (fault for mail in found for fault in mail.faults):
        click.echo(f"warning: {fault}", err=True)
    for mail in found:
        if raw:
            click.echo(mail.raw.decode("utf-8", "replace"))
        else:
            click.echo(html_part(mail.raw) if html else f"Subject: {mail.subject}\n\n{text_part(mail.raw)}")


def _as_json(mail: Rendered) -> dict[str, Any]:
    from relay.compose.message import html_part, text_part

    return {
        "subject": mail.subject,
        "text": text_part(mail.raw),
        "html": html_part(mail.raw),
        "raw": mail.raw,
        "warnings": mail.faults,
    }
