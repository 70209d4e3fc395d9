"""Bounces of digests and automatic replies to them are recognized; those about other mails are not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from relay.model import Envelope, Record, Retained
from relay.parse.bounces import Ourselves, read
from relay.parse.mime.headers import split
from relay.parse.report import parse_all

OURS = Ourselves(domain="example.com", recipients=frozenset({"admin@example.com", "ops@example.com"}))
ID = "0123456789abcdef0123456789abcdef"
DIGEST = f"""From: relay@example.com
To: admin@example.com
Subject: [Shop Failed] new: ValueError: order lost
Message-ID: <{ID}@example.com>
Auto-Submitted: auto-generated
X-Error-Mail-Relay: digest

1 occurrence, 09:15 UTC
"""
POSTFIX = """From: MAILER-DAEMON@mx.example.com
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="B"
Auto-Submitted: auto-replied

--B
Content-Type: text/plain

This is the mail system at host mx.example.com.

<admin@example.com>: host mail.example.com[192.0.2.1] said: 550 5.1.1 User unknown

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; admin@example.com
Original-Recipient: rfc822;admin@example.com
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User
    unknown

--B
Content-Type: message/rfc822

{original}
--B--
"""
EXIM = """From: Mail Delivery System <Mailer-Daemon@mx.example.com>
Auto-Submitted: auto-replied
X-Failed-Recipients: admin@example.com
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered:

  admin@example.com
    host mail.example.com [192.0.2.1]
    SMTP error from remote mail server: 550 User unknown

------ This is a copy of the message, including all the headers. ------

{original}"""
QMAIL = """From: MAILER-DAEMON@mx.example.com
Subject: failure notice

Hi. This is the qmail-send program at mx.example.com.

<admin@example.com>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 User unknown

--- Below this line is a copy of the message.

{original}"""
EXCHANGE = """From: postmaster@example.onmicrosoft.com
Subject: Undeliverable: [Shop Failed] new
Content-Type: multipart/report; report-type=delivery-status; boundary="B"
In-Reply-To: <{id}@example.com>
References: <{id}@example.com>

--B
Content-Type: message/delivery-status

Final-Recipient: rfc822;ADMIN@example.com
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found

--B--
"""
VACATION = """From: Ann <admin@example.com>
Subject: Out of office: [Shop Failed] new: ValueError
{mark}

I am on holiday until Monday.
"""


def own(mail: str, sender: str = "mx@example.com") -> bool:
    content = mail.replace("\n", "\r\n").encode()
    envelope = Envelope(sender=sender, recipients=("ops@example.com",), peer="127.0.0.1")
    record = Record(
        position=0,
        end=1,
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        envelope=envelope,
        retained=Retained.WHOLE,
        content=content,
        size=len(content),
    )
    return parse_all(record, (), OURS)[0].own


def bounced(mail: str) -> list[tuple[str, str, str]]:
    content = mail.replace("\n", "\r\n").encode()
    return [(each.recipient, each.reason, each.message) for each in read(split(content)[0], content, OURS)]


@pytest.mark.parametrize(
    "mail",
    [
        POSTFIX.format(original=DIGEST, action="failed"),
        POSTFIX.format(original=DIGEST, action="delayed"),
        EXIM.format(original=DIGEST),
        QMAIL.format(original=DIGEST),
        EXCHANGE.format(id=ID),
        VACATION.format(mark="Auto-Submitted: auto-replied"),
        VACATION.format(mark="Auto-Submitted: auto-replied (vacation)"),
        VACATION.format(mark="X-Autoreply: yes"),
        VACATION.format(mark="Precedence: auto_reply"),
        VACATION.format(mark=f"Precedence: bulk\nIn-Reply-To: <{ID}@example.com>"),
        DIGEST,
    ],
)
def test_bounce_of_a_digest_and_automatic_reply_to_one_are_our_own(mail: str):
    assert own(mail)


def test_report_with_a_null_sender_about_a_digest_is_our_own():
    plain = "From: gateway@example.net\nSubject: not delivered\n\n> X-Error-Mail-Relay: digest\n"

    assert own(plain, sender="")
    assert not own(plain)


OTHER = DIGEST.replace("X-Error-Mail-Relay: digest\n", "").replace("@example.com>", "@shop.example>")


@pytest.mark.parametrize(
    "mail",
    [
        POSTFIX.format(original=OTHER, action="failed"),
        EXIM.format(original=OTHER),
        QMAIL.format(original=OTHER),
        EXCHANGE.format(id=ID).replace(f"{ID}@example.com", f"{ID}@shop.example"),
        VACATION.format(mark="Auto-Submitted: auto-replied").replace("admin@", "customer@"),
        VACATION.format(mark="X-Comment: written by hand"),
        "From: admin@example.com\nAuto-Submitted: auto-generated\nSubject: cron failed\n\nno disk\n",
        f"From: ops@example.com\nSubject: look at this\n\n{DIGEST}",
    ],
)
def test_bounce_of_another_mail_and_mail_of_a_person_are_errors_as_any_other(mail: str):
    assert not own(mail)


@pytest.mark.parametrize(
    ("mail", "found"),
    [
        (POSTFIX.format(original=DIGEST, action="failed"), ("admin@example.com", "5.1.1 User unknown", ID)),
        (
            EXCHANGE.format(id=ID),
            ("admin@example.com", "5.1.10 RESOLVER.ADR.RecipientNotFound; not found", ID),
        ),
        (QMAIL.format(original=DIGEST), ("admin@example.com", "5.1.1 User unknown", ID)),
        (EXIM.format(original=DIGEST), ("admin@example.com", "User unknown", ID)),
    ],
)
def test_report_names_recipient_reason_and_message(mail: str, found: tuple[str, str, str]):
    assert bounced(mail) == [found]


def test_delay_is_no_bounce():
    assert bounced(POSTFIX.format(original=DIGEST, action="delayed")) == []


def test_any_content_is_read_in_linear_time():
    for content in (b"<" * 200_000, b"a@b:" * 50_000, b"Final-Recipient: rfc822;" * 9_000, b"\n\n" * 100_000):
        read(split(content)[0], content, OURS)
