"""Secrets that apps mail are in none of what is kept or sent: ledger, digests, log."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support.processes import Relay, wait_for
from tests.support.redaction import SECRETS
from tests.support.upstream import Mail, Upstream

pytestmark = pytest.mark.e2e

PLANTED = {f"kX9-{number:03}q27Lm": kind for number, kind in enumerate(SECRETS)}
SEEN = "shown-on-purpose"


def mails() -> Iterator[EmailMessage]:
    for number, (secret, kind) in enumerate(PLANTED.items()):
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"], mail["To"] = "server-error@example.com", "yourname@example.com"
        mail["Subject"] = "[shop] failed" if " in it" in kind else f"[shop] failed with {secret}"  # there it is a part
        words = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        mail.set_content(f"the {words} queue has lost its order, {SEEN}\n{SECRETS[kind].replace('{}', secret)}\n")
        yield mail


def shown(mail: Mail) -> str:
    parts = message_from_bytes(mail.raw, policy=policy.default).walk()
    return mail.raw.decode("latin-1") + "".join(part.get_content() for part in parts if not part.is_multipart())


def found_in(text: str) -> list[str]:
    return [secret for secret in PLANTED if secret in text]


def test_planted_secrets_are_in_no_ledger_no_digest_and_no_log(make_relay: Callable[..., Relay], upstream: Upstream):
    with make_relay(digest={"full_errors": 500, "max_size": "20MB"}) as relay:
        with smtplib.SMTP("127.0.0.1", relay.smtp_port) as smtp:
            for mail in mails():
                smtp.send_message(mail)
        wait_for(lambda: relay.status()["reported"] == len(PLANTED), "all to be reported")
        assert relay.stop() == 0

    ledger = b"".join(file.read_bytes() for file in relay.data.glob("ledger.db*"))
    digests = "".join(map(shown, upstream.mails))

    assert SEEN.encode() in ledger
    assert SEEN in digests
    assert found_in(ledger.decode("latin-1")) == []
    assert found_in(digests) == []
    assert found_in(relay.log_file.read_text()) == []
    assert [secret for file in kept(relay.data) for secret in found_in(file.read_bytes().decode("latin-1"))] == []


def kept(data: Path) -> Iterator[Path]:
    """The data directory without the spool, which holds mails unmasked until they are ingested."""
    return (file for file in data.rglob("*") if file.is_file() and "spool" not in file.relative_to(data).parts)
