"""No form of RCPT whatever makes the relay deliver to anybody but its admins: real receiver, worker and upstream."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.conftest import ADMINS
from tests.e2e.processes import Relay, wait_for
from tests.integration.receiving import Talk
from tests.upstream import Upstream

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
}


def send(talk: Talk, sender: str, recipients: list[str], name: str) -> None:
    """Send an error of its own, whose headers ask for the victim as well."""
    assert talk.say(f"MAIL FROM:{sender}".encode()) == "250 2.1.0"
    for recipient in recipients:
        assert talk.say(b"RCPT TO:" + recipient.encode()) == "250 2.1.5", name
    assert talk.say(b"DATA") == "354"
    headers = f"From: {VICTIM}\r\nTo: {VICTIM}\r\nCc: {VICTIM}\r\nBcc: {VICTIM}\r\nReply-To: {VICTIM}\r\n"
    headers += (
        f"Errors-To: {VICTIM}\r\nReturn-Receipt-To: {VICTIM}\r\nSubject: App Failed\r\nX: \r\n RCPT TO:<{VICTIM}>\r\n"
    )
    assert talk.say(f"{headers}\r\nKeyError: {name}\r\n.".encode()) == "250 2.6.0"


@pytest.fixture
def relay(make_relay: Callable[..., Relay]) -> Relay:
    return make_relay()


def test_no_form_of_an_envelope_reaches_anybody_but_the_admins(relay: Relay, upstream: Upstream):
    """Each form alone, each beside an admin, all in one, and the victim as the sender; then come the digests."""
    with relay:
        talk = Talk(relay.smtp_port).greet()
        for name, form in FORMS.items():
            send(talk, "<app@example.com>", [form], name)
            send(talk, "<>", [f"<{ADMINS[0]}>", form], f"{name} beside an admin")
        send(talk, f"<{VICTIM}>", list(FORMS.values()), "all of them")
        talk.close()
        total = 2 * len(FORMS) + 1

        wait_for(lambda: relay.status()["received"] == total, "all mails to be sorted")
        wait_for(lambda: relay.status()["reported"] == total, "all to be told")

    assert upstream.mails
    reached = {recipient for mail in upstream.mails for recipient in mail.recipients}
    assert reached == set(ADMINS)
    assert json.dumps([mail.sender for mail in upstream.mails]).find("victim") < 0
    for mail in upstream.mails:
        head = mail.raw.partition(b"\r\n\r\n")[0]
        assert b"victim" not in head.lower()
