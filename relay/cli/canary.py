"""`canary`: send a marked error through the running relay, and wait until the upstream accepts the digest with it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.options import config_option, json_option, open_ledger, settings_of
from relay.cli.output import print_json
from relay.clock import utc_now
from relay.errors import LedgerBusy, LedgerError

if TYPE_CHECKING:
    from relay.config import Listen, Settings
    from relay.ledger import Ledger

_POLL = 0.2
"""Seconds between two looks at the ledger."""


@click.command()
@config_option
@json_option
@click.option("--timeout", default=60.0, show_default=True, help="Seconds until the answer is no.")
@click.option("--to", metavar="HOST:PORT", help="The relay's address, if it is not smtp.listen (socket activation).")
@click.pass_context
def canary(ctx: click.Context, config: Path | None, *, as_json: bool, timeout: float, to: str | None) -> None:
    """Test the whole way, from port to upstream.

    Sends a marked error to the running relay and waits until the upstream accepts the digest with it. Prints the time
    it took. Exits with 1 if that does not happen in time, and says how far it came.
    """
    from relay.config import Listen

    settings = settings_of(config)
    try:
        listen = Listen.parse(to) if to else settings.smtp.listen
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    began = time.monotonic()
    ok, text = _run(settings, listen, began + timeout)
    seconds = round(time.monotonic() - began, 2)
    if as_json:
        print_json({"ok": ok, "seconds": seconds, "detail": text})
    else:
        click.echo(f"{'delivered' if ok else 'NOT delivered'} after {seconds:.1f} s: {text}", err=not ok)
    ctx.exit(0 if ok else 1)


def _run(settings: Settings, listen: Listen, deadline: float) -> tuple[bool, str]:
    """Return whether the digest was accepted, with the upstream and the recipients, or the reason why not."""
    from smtplib import SMTPException

    from relay.service.canary import canary_mail, progress, send

    sent_at = utc_now()
    password = settings.smtp.secret("password") if settings.smtp.username else None
    if password and password.startswith("$"):
        return False, "smtp.password is a hash, so the canary cannot log in: set RELAY_SMTP__PASSWORD to the password"
    login = (settings.smtp.username, password) if password else None
    try:
        send(canary_mail(settings, sent_at), listen, max(1.0, deadline - time.monotonic()), login)
    except (OSError, SMTPException) as error:
        return False, f"the relay on {listen} did not accept it: {error}"
    try:
        ledger = _open_ledger(settings, deadline)
    except LedgerError as error:
        return False, f"it is accepted, and the ledger cannot be read: {error}"
    found = progress(ledger, sent_at)
    while not (found.delivered or found.failed) and time.monotonic() < deadline:
        time.sleep(_POLL)
        with contextlib.suppress(LedgerBusy):
            found = progress(ledger, sent_at)
    if not found.delivered:
        return False, found.text
    place = "stored in the local mailbox (no upstream is set)"
    if settings.upstream.host:
        place = f"{settings.upstream.host}:{settings.upstream.port} accepted it"
    return True, f"{place} for {found.text}"


def _open_ledger(settings: Settings, deadline: float) -> Ledger:
    """Open the ledger; a relay that has just started may not have made it yet. Raises LedgerError after `deadline`."""
    while True:
        try:
            return open_ledger(settings)
        except LedgerError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL)
