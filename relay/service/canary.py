"""The canary: a marked error that tests the whole way from the SMTP port to the upstream (`relay canary`).

    mail ─SMTP─► receiver ─► spool ─► ledger ─► digest ─► outbox ─SMTP─► upstream

The mail has an app and a route of its own (`config.CANARY`). So its digest contains nothing else, no other digest
contains it, and it waits for no interval. It counts towards the recipients' budgets like any digest.
"""

from __future__ import annotations

import contextlib
import secrets
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from relay import SMTP_KEYWORD
from relay.config import Listen, Settings
from relay.config.settings import CANARY
from relay.ledger import Ledger, StoredMessage
from relay.model import Delivery, MessageState

_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- compared, not bound
_STEPS = "`relay health` checks the worker; its log says why"
_MESSAGES = 20
"""Digests of canaries that are looked at; there is one a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a canary came. `delivered` and `failed` are final; a failure comes with a reason."""

    delivered: bool = False
    failed: bool = False
    text: str = ""
    """Which recipients were served, or what the canary waits for and what to look at."""


def canary_mail(settings: Settings, now: datetime) -> EmailMessage:
    """Return the marked error mail."""
    mail = EmailMessage()
    mail["Subject"] = f"[{CANARY}] Canary of the error-mail relay"
    mail["From"] = f"{CANARY}@localhost"
    mail["To"] = ", ".join(settings.routes[-1].recipients)
    mail["Date"] = format_datetime(now)
    mail["X-Error-Mail-App"] = CANARY
    mail["X-Error-Mail-Level"] = "ERROR"
    mail.set_content(
        "Canary of the error-mail relay: a test of the whole way to your inbox\n\n"
        f"`relay canary` sent this. Nothing needs to be done.\nRun {secrets.randbelow(10**9)}\n"
    )
    return mail


def send(mail: EmailMessage, listen: Listen, timeout: float, login: tuple[str, str] | None = None) -> None:
    """Send the mail to the running relay, with STARTTLS if it offers that. Raises OSError, SMTPException."""
    with contextlib.closing(smtplib.SMTP(timeout=timeout)) as client:
        client.connect(_LOCAL.get(listen.host, listen.host), listen.port)
        client.ehlo()
        if not client.has_extn(SMTP_KEYWORD):
            raise smtplib.SMTPException("another mail server answers there")
        if login and client.has_extn("starttls"):
            client.starttls(context=_own_server())
            client.ehlo()
        if login:
            client.login(*login)
        client.send_message(mail)
        client.quit()


def _own_server() -> ssl.SSLContext:
    """Trust any certificate: the address is our own, and the certificate is often for the public name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def progress(ledger: Ledger, sent_at: datetime) -> Progress:
    """Return how far the canary that was sent at `sent_at` came. Raises LedgerError."""
    for message in ledger.messages(route=CANARY, limit=_MESSAGES):
        if message.created_at >= sent_at and any(each.until >= sent_at for each in ledger.entries_of(message.id)):
            return _of_message(message)
    if any(group.last_seen >= sent_at for group in ledger.groups(route=CANARY)):
        earlier = ledger.messages(route=CANARY, state=MessageState.OPEN, limit=1)
        if earlier:
            return Progress(text=f"an earlier canary still waits: {_of_message(earlier[0]).text}")
        return Progress(text="it is ingested, and no digest is enqueued yet: see `relay plan`")
    return Progress(text=f"it is accepted and not ingested yet, or a [[rule]] ignores it: {_STEPS}")


def _of_message(message: StoredMessage) -> Progress:
    served = [each.recipient for each in message.deliveries if each.state is Delivery.SENT]
    if served:
        return Progress(delivered=True, text=", ".join(served))
    replies = [f"{each.recipient}: {each.code} {each.text}" for each in message.deliveries if each.text]
    reason = "; ".join(replies) or "it is enqueued, and the upstream has not accepted it: see `relay status`"
    return Progress(failed=message.state is MessageState.DEAD, text=reason)
