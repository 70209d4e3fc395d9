"""No form of RCPT makes the relay deliver to anybody but the admins and routes: real receiver, worker, upstream."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.processes import Relay, wait_for
from tests.support.receiving import RawClient
from tests.support.relay_with_upstream import ADMINS
from tests.support.upstream import Upstream

pytestmark = pytest.mark.e2e

VICTIM = "victim@elsewhere.example"
FORMS = {
    "bare": f"<{VICTIM}>",
    "without brackets": VICTIM,
    "source route": f"<@relay.example:{VICTIM}>",
    "long source route": f"<@one.example,@two.example,@localhost:{VICTIM}>",
    "percent hack": "<victim%elsewhere.example@localhost>",
    "double percent": "<victim%elsewhere.example%two.example@localhost>",
    "percent without domain": "<victim%elsewhere.example>",
    "bang path": "<elsewhere.example!victim>",
    "bang and domain": "<elsewhere.example!victim@localhost>",
    "quoted address": f'<"{VICTIM}">',
    "quoted address at ours": f'<"{VICTIM}"@localhost>',
    "quoted list": f'<"one@example.com, {VICTIM}"@localhost>',
    "quoted end": f'<"one@example.com> RCPT TO:<{VICTIM}"@localhost>',
    "quoted route": f'<"@localhost:{VICTIM}"@localhost>',
    "literal of this machine": "<victim@[127.0.0.1]>",
    "literal of another": "<victim@[192.0.2.1]>",
    "IPv6 literal": "<victim@[IPv6:2001:db8::1]>",
    "pipe": '<"|/usr/bin/mail victim"@localhost>',
    "file": "</var/mail/victim@localhost>",
    "postmaster": "<postmaster>",
    "postmaster elsewhere": "<postmaster@elsewhere.example>",
    "admin with an extension": "<one+victim=elsewhere.example@example.com>",
    "admin's look-alike": "<one@example.com.elsewhere.example>",
    "upper case": "<ONE@EXAMPLE.COM.ELSEWHERE.EXAMPLE>",
    "template": "<{{recipients}}@elsewhere.example>",
    "source route of literals": f"<@[127.0.0.1],@[192.0.2.1]:{VICTIM}>",
    "source route to a percent hack": "<@localhost:victim%elsewhere.example@localhost>",
    "source route to a bang path": "<@localhost:elsewhere.example!victim@localhost>",
    "bang path of several": "<one.example!two.example!elsewhere.example!victim>",
    "bang and percent": "<elsewhere.example!victim%two.example@localhost>",
    "quoted bang path": '<"elsewhere.example!victim"@localhost>',
    "quoted percent hack": '<"victim%elsewhere.example"@localhost>',
    "quoted with escapes": r'<"victim\@elsewhere.example"@localhost>',
    "IPv6 literal of this machine": "<victim@[IPv6:::1]>",
    "literal with a percent hack": "<victim%elsewhere.example@[127.0.0.1]>",
    "mixed case": "<ViCtIm@ElSeWhErE.eXaMpLe>",
    "admin in mixed case, elsewhere": "<One@Example.Com.Elsewhere.Example>",
    "postmaster in mixed case": "<PostMaster>",
    "final dot": "<victim@elsewhere.example.>",
    "two at signs": "<victim@elsewhere.example@localhost>",
    "punycode": "<victim@xn--elswhere-53a.example>",
    "plus and at": "<one+victim@elsewhere.example>",
    "null": "<>",
    "null in quotes": '<""@elsewhere.example>',
    "list in brackets": f"<{VICTIM},{ADMINS[0]}>",
    "two paths": f"<{ADMINS[0]}><{VICTIM}>",
    "path and parameter": f"<{ADMINS[0]}> ORCPT=rfc822;{VICTIM}",
    "notification": f"<{VICTIM}> NOTIFY=SUCCESS,FAILURE",
    "UTF-8": "<víctim@elsewhere.example>",
    "UTF-8 domain": "<victim@elsewhére.example>",
    "right to left": "<\u202evictim@elsewhere.example>",
    "NUL": "<victim\0@elsewhere.example>",
}
"""Arguments of RCPT TO that might make a mail server deliver to the victim."""
QUESTIONS = (
    "VRFY victim", f"VRFY <{VICTIM}>", "EXPN staff", "ETRN elsewhere.example", "TURN", "ATRN elsewhere.example",
    f"SEND FROM:<{VICTIM}>", f"SAML FROM:<{VICTIM}>",
)  # fmt: skip
ACCEPTED = "250 2.1.5"


HEADERS = (
    "From", "Sender", "To", "Cc", "Bcc", "Reply-To", "Mail-Followup-To", "Mail-Reply-To", "Errors-To", "Return-Path",
    "Return-Receipt-To", "Disposition-Notification-To", "X-Confirm-Reading-To", "Resent-From", "Resent-Sender",
    "Resent-To", "Resent-Cc", "Resent-Bcc", "Apparently-To", "Delivered-To", "X-Original-To", "Envelope-To",
    "X-Error-Mail-To", "Cc\r\nBcc",
)  # fmt: skip


def send(client: RawClient, sender: str, recipients: list[str], name: str) -> int:
    """Send one error mail whose headers also name the victim; return the number of accepted recipients.

    A refused recipient is not part of the mail. If all are refused, no mail is sent.
    """
    assert client.say(f"MAIL FROM:{sender} SMTPUTF8".encode()) == "250 2.1.0"
    codes = [client.say(b"RCPT TO:" + recipient.encode()) for recipient in recipients]
    assert all(code == ACCEPTED or code[:2] in ("50", "55") for code in codes), (name, codes)
    if ACCEPTED not in codes:
        assert client.say(b"RSET") == "250 2.0.0"
        return 0
    assert client.say(b"DATA") == "354"
    headers = "".join(f"{header}: {VICTIM}\r\n" for header in HEADERS)
    headers += f"Subject: App Failed\r\nX: \r\n RCPT TO:<{VICTIM}>\r\n"
    assert client.say(f"{headers}\r\nKeyError: {name}\r\n.".encode()) == "250 2.6.0"
    return codes.count(ACCEPTED)


def second_envelope(port: int) -> str:
    """Begin a mail to an admin, then switch to the victim: by RSET, EHLO, a second MAIL, and in one packet."""
    client = RawClient(port).greet()
    for command in (b"RSET", b"EHLO other.example"):
        assert client.say(b"MAIL FROM:<app@example.com>") == "250 2.1.0"
        assert client.say(f"RCPT TO:<{ADMINS[0]}>".encode()) == ACCEPTED
        assert client.say(command).startswith("250")
        assert client.say(b"DATA") == "503 5.5.1"
    assert client.say(b"MAIL FROM:<app@example.com>") == "250 2.1.0"
    assert client.say(f"MAIL FROM:<{VICTIM}>".encode()) == "503 5.5.1"
    mail = f"RCPT TO:<{ADMINS[0]}>\r\nDATA\r\nSubject: App Failed\r\n\r\nKeyError: first\r\n.\r\n"
    mail += f"MAIL FROM:<{VICTIM}>\r\nRCPT TO:<{VICTIM}>\r\nDATA\r\nSubject: App Failed\r\n\r\nKeyError: second\r\n."
    code = client.say(mail.encode())
    assert [code, *(client.code() for _ in range(5))] == [ACCEPTED, "354", "250 2.6.0", "250 2.1.0", ACCEPTED, "354"]
    last = client.code()
    client.close()
    return last


def test_no_envelope_reaches_anybody_but_the_admins_and_the_routes(
    make_relay: Callable[..., Relay], upstream: Upstream
):
    """Each form alone, each beside an admin, a thousand in one mail, and the victim as the sender; then the digests."""
    routed = "route@example.com"
    with make_relay(route=[{"name": "some", "pattern": "*beside an admin*", "recipients": [routed]}]) as relay:
        client = RawClient(relay.smtp_port).greet()
        total = 0
        for name, form in FORMS.items():
            total += bool(send(client, "<app@example.com>", [form], name))
            assert send(client, "<>", [f"<{ADMINS[0]}>", form], f"{name} beside an admin")
            total += 1
        many = [*FORMS.values(), *(f"<victim{number}@elsewhere.example>" for number in range(900))]
        client.close()
        client = RawClient(relay.smtp_port).greet()
        assert send(client, f"<{VICTIM}>", many, "many") > 900
        for question in QUESTIONS:
            assert client.say(question.encode())[:3] in ("252", "502"), question
        client.close()
        assert second_envelope(relay.smtp_port) == "250 2.6.0"
        total += 3

        wait_for(lambda: relay.status()["received"] == total, "all mails to be ingested")
        wait_for(lambda: relay.status()["reported"] == total, "all mails to be reported")

    assert total > len(FORMS) + 3
    assert upstream.mails
    reached = {recipient for mail in upstream.mails for recipient in mail.recipients}
    assert reached == {*ADMINS, routed}
    assert not any(VICTIM.partition("@")[0] in line.lower() for line in upstream.commands)
    assert json.dumps([mail.sender for mail in upstream.mails]).find("victim") < 0
    for mail in upstream.mails:
        head = mail.raw.partition(b"\r\n\r\n")[0]
        assert b"victim" not in head.lower()
