"""The receiver's replies: order of commands, arguments, parameters, AUTH, as the RFCs require."""

from __future__ import annotations

import base64
import socket

import pytest

from relay.receive import Access, Limits
from tests.support.receiving import receiving

LIMITS = Limits(stop_within=0.2, hostname="relay.example", max_size=1 << 20)
LOCKED = Access(username="app", password="pä55 wörd")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with receiving(tmp_path_factory.mktemp("receive") / "spool", LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with receiving(tmp_path_factory.mktemp("locked") / "spool", access=LOCKED) as running:
        yield running


@pytest.fixture
def client(running):
    return running.connect().greet()


def b64(text: str | bytes) -> bytes:
    return base64.b64encode(text.encode() if isinstance(text, str) else text)


# --- Session ----------------------------------------------------------------------------------------------------------


def test_greeting_names_the_host_and_no_product(running):
    assert running.connect().reply() == ["220 relay.example ESMTP"]


def test_ehlo_lists_the_supported_extensions(running):
    client = running.connect()
    client.reply()
    client.send(b"EHLO client\r\n")

    assert client.reply() == [
        "250-relay.example",
        "250-PIPELINING",
        "250-SIZE 1048576",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-DSN",
        "250-ENHANCEDSTATUSCODES",
        "250-X-ERROR-MAIL-RELAY",
        "250-AUTH PLAIN LOGIN",
        "250 HELP",
    ]


def test_helo_offers_no_extension_and_refuses_no_parameter(running):
    client = running.connect()
    client.reply()
    client.send(b"HELO client\r\n")

    assert client.reply() == ["250 relay.example"]
    assert client.say(b"MAIL FROM:<a@b> SIZE=10") == "250 2.1.0"
    assert client.say(b"RSET") == "250 2.0.0"
    assert client.say(b"AUTH PLAIN") == "503 5.5.1"
    assert client.mail(b"text\r\n") == "250 2.6.0"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"NOOP", "250 2.0.0"),
        (b"noop with words", "250 2.0.0"),
        (b"HELP", "214 2.0.0"),
        (b"HELP MAIL", "214 2.0.0"),
        (b"VRFY someone", "252 2.0.0"),
        (b"VRFY", "501 5.5.4"),
        (b"EXPN list", "502 5.5.1"),
        (b"STARTTLS", "502 5.5.1"),
        (b"BDAT 3 LAST", "502 5.5.1"),
        (b"RSET", "250 2.0.0"),
        (b"RSET now", "501 5.5.4"),
        (b"QUIT now", "501 5.5.4"),
        (b"HELO", "501 5.5.4"),
        (b"EHLO", "501 5.5.4"),
        (b"EHLO  ", "501 5.5.4"),
        (b"", "500 5.5.2"),
        (b" ", "500 5.5.2"),
        (b" NOOP", "500 5.5.2"),
        (b"NOOP\tx", "500 5.5.2"),
        (b"\xff\xfe", "500 5.5.2"),
        (b"\0", "500 5.5.2"),
        (b"WHATEVER", "500 5.5.2"),
        (b"DATA", "503 5.5.1"),
        (b"RCPT TO:<a@b>", "503 5.5.1"),
        (b"QUIT", "221 2.0.0"),
    ],
)
def test_each_command_has_exactly_one_reply(client, line, code):
    assert client.say(line) == code
    if code != "221 2.0.0":
        assert client.say(b"NOOP") == "250 2.0.0"
    else:
        assert client.ended()


@pytest.mark.parametrize("line", [b"MAIL FROM:<a@b>", b"RCPT TO:<a@b>", b"DATA"])
def test_mail_needs_a_greeting(running, line):
    client = running.connect()
    client.reply()

    assert client.say(line) == "503 5.5.1"


def test_order_of_a_transaction(client):
    assert client.say(b"MAIL FROM:<a@b>") == "250 2.1.0"
    assert client.say(b"MAIL FROM:<a@b>") == "503 5.5.1"
    assert client.say(b"DATA") == "503 5.5.1"
    assert client.say(b"RCPT TO:<c@d>") == "250 2.1.5"
    assert client.say(b"DATA now") == "501 5.5.4"
    assert client.say(b"RSET") == "250 2.0.0"
    assert client.say(b"DATA") == "503 5.5.1"
    assert client.say(b"MAIL FROM:<a@b>") == "250 2.1.0"
    assert client.say(b"EHLO again") == "250"
    assert client.say(b"RCPT TO:<c@d>") == "503 5.5.1"


def test_transaction_ends_with_its_mail(client):
    assert client.mail(b"text\r\n") == "250 2.6.0"

    assert client.say(b"DATA") == "503 5.5.1"
    assert client.mail(b"text\r\n") == "250 2.6.0"


@pytest.mark.parametrize("blanks", [b" ", b"\t", b" \t  "])
def test_white_space_at_the_end_of_a_command_is_tolerated(client, blanks):
    """Required by RFC 5321, section 4.1.1, with or without an argument."""
    lines = [b"NOOP", b"RSET", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA"]

    assert [client.say(line + blanks) for line in lines] == ["250 2.0.0", "250 2.0.0", "250 2.1.0", "250 2.1.5", "354"]
    assert client.say(b".") == "250 2.6.0"
    assert client.say(b"QUIT" + blanks) == "221 2.0.0"


def test_commands_may_end_in_a_bare_lf(client):
    """As in aiosmtpd and Postfix, for a person with netcat."""
    client.send(b"NOOP\nNOOP\r\n")

    assert [client.code(), client.code()] == ["250 2.0.0", "250 2.0.0"]


# --- Paths and parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        (b"<>", ""),
        (b"<a@b.example>", "a@b.example"),
        (b" <a@b>", "a@b"),
        (b"a@b", "a@b"),
        (b"<root>", "root"),
        (b"<a.b+c=d/e@b-c.d_e>", "a.b+c=d/e@b-c.d_e"),
        (b'<"quoted \\" local >"@b>', '"quoted \\" local >"@b'),
        (b"<a@[127.0.0.1]>", "a@[127.0.0.1]"),
        (b"<a@[192.0.2.255]>", "a@[192.0.2.255]"),
        (b"<a@[IPv6:::1]>", "a@[IPv6:::1]"),
        (b"<a@[ipv6:::ffff:192.0.2.1]>", "a@[ipv6:::ffff:192.0.2.1]"),
        (b"<a@[other-tag:whatever]>", "a@[other-tag:whatever]"),
        (b"<@one,@two.example:a@b>", "a@b"),
        ("<ä@bücher.example> SMTPUTF8".encode(), "ä@bücher.example"),
        (b"<a@b.example.>", "a@b.example."),
        (b"<a@b> SIZE=1000 BODY=8BITMIME SMTPUTF8", "a@b"),
        (b"<a@b> size=99999 body=7bit AUTH=<>", "a@b"),
        (b"<a@b", "a@b"),
        (b"<a@b SIZE=10", "a@b"),
        (b"a@b>", "a@b"),
        (b"a@b> SIZE=10", "a@b"),
        (b"a@b AUTH=<>", "a@b"),
        (b"<a@b>>", "a@b"),
        (b"<<a@b>>", "a@b"),
        (b"<a b@c>", "a b@c"),
        (b"a b@c", "a b@c"),
        (b"<a@b@c>", "a@b@c"),
        (b"<@b>", "@b"),
        (b"<a@>", "a@"),
        (b"<a..b@c>", "a..b@c"),
        (b"<a.@c>", "a.@c"),
        (b"<a@b..c>", "a@b..c"),
        (b"<a@-b.c>", "a@-b.c"),
        (b"<a@[300.0.2.1]>", "a@[300.0.2.1]"),
        (b"<a@[127.0.0.1>", "a@[127.0.0.1"),
        (b'<"a@b>', '"a@b'),
        (b'<"a > b"@c> SIZE=1', '"a > b"@c'),
        (b"Name <a@b>", "a@b"),
        (b"<a@b>SIZE=1", "a@b"),
        (b"<a@b> SIZE=1 SIZE=2", "a@b"),
        (b"<\xff@b>", "\ufffd@b"),
        ("<ä@b>".encode(), "ä@b"),
        (b"<a@b> AUTH=a+zz", "a@b"),
        (b"<a@b> SIZE", "a@b"),
        (b"<a@b> SIZE= 1", "a@b"),
        (b"<a@b> =1", "a@b"),
        (b"<a@b> SIZE=-1", "a@b"),
        ("<a@b> SIZE=\u0661".encode(), "a@b"),
        (b"<a@b> BODY=BINARYMIME", "a@b"),
        (b"<a@b> SMTPUTF8=yes", "a@b"),
        (b"<a@b> RET=HDRS ENVID=x+2By", "a@b"),
        (b"<a@b> WHAT=EVER", "a@b"),
    ],
)
def test_sender_is_parsed(running, client, argument, address):
    assert client.say(b"MAIL FROM:" + argument) == "250 2.1.0"
    assert client.say(b"RCPT TO:<c@d>") == "250 2.1.5"
    assert client.say(b"DATA") == "354"
    assert client.say(b".") == "250 2.6.0"

    assert running.records()[-1].envelope.sender == address


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        (b"", "501 5.1.7"),
        (b" FROM", "501 5.1.7"),
        (b" TO:<a@b>", "501 5.1.7"),
        (b" FROM:", "501 5.1.7"),
        (b" FROM:<", "501 5.1.7"),
        (b" FROM:<<", "501 5.1.7"),
        (b" FROM <a@b>", "501 5.1.7"),
        (b" FROM :<a@b>", "501 5.1.7"),
        (b" FROM:<a\0@b>", "501 5.1.7"),
        (b" FROM:<a\r@b>", "501 5.1.7"),
        (b" FROM:<a\t@b>", "501 5.1.7"),
        (b" FROM:a\x1b@b", "501 5.1.7"),
        (b" FROM:<a@b> X=\x7f", "501 5.1.7"),
        ("  FROM:<a\u0085b>".encode(), "501 5.1.7"),
        (b" FROM:<a@b> SIZE=" + b"1" * 21, "552 5.3.4"),
        (b" FROM:<a@b> SIZE=1 SIZE=99999999999999999999", "552 5.3.4"),
    ],
)
def test_malformed_sender_is_refused_and_opens_no_transaction(client, argument, code):
    assert client.say(b"MAIL" + argument) == code
    assert client.say(b"RCPT TO:<c@d>") == "503 5.5.1"


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        (b" TO:<", "501 5.1.3"),
        (b"", "501 5.1.3"),
        (b" TO:", "501 5.1.3"),
        (b" TO :<a@b>", "501 5.1.3"),
        (b" TO:<a\0b>", "501 5.1.3"),
    ],
)
def test_malformed_recipient_is_refused_and_the_transaction_stays_open(client, argument, code):
    client.say(b"MAIL FROM:<a@b>")

    assert client.say(b"RCPT" + argument) == code
    assert client.say(b"DATA") == "503 5.5.1"
    assert client.say(b"RCPT TO:<c@d>") == "250 2.1.5"


# --- Lengths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "longest"), [(b"NOOP ", 2050), (b"MAIL FROM:<a@b> AUTH=", 2050), (b"RCPT TO:<", 2050), (b"VRFY ", 2050)]
)
def test_line_length_is_limited_as_in_the_rfcs(client, head, longest):
    room = longest - len(head) - 2

    assert client.say(head + b"x" * room) != "500 5.5.2"
    client.say(b"RSET")
    assert client.say(head + b"x" * (room + 1)) == "500 5.5.2"
    assert client.say(b"NOOP") == "250 2.0.0"


@pytest.mark.parametrize("length", [12_289, 100_000, 5_000_000])
def test_too_long_line_is_skipped_and_has_one_reply(client, length):
    client.send(b"x" * length + b"\r\nNOOP\r\n")

    assert [client.code(), client.code()] == ["500 5.5.2", "250 2.0.0"]


def test_mail_in_a_web_request_is_not_accepted(running):
    client = running.connect()
    client.reply()
    before = len(running.records())
    client.send(
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nforged\r\n.\r\n"
    )

    assert client.code() == "502 5.5.1"
    assert client.ended()
    assert len(running.records()) == before


# --- AUTH -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        b"MAIL FROM:<a@b>",
        b"RCPT TO:<a@b>",
        b"DATA",
        b"VRFY x",
    ],
)
def test_configured_password_makes_auth_required(locked, command):
    client = locked.connect().greet()

    assert client.say(command) == "530 5.7.0"
    assert client.say(b"NOOP") == "250 2.0.0"


def plain(username: str, password: str) -> bytes:
    return b64(f"\0{username}\0{password}")


def test_auth_plain(locked):
    client = locked.connect().greet()
    assert client.say(b"AUTH PLAIN " + plain("app", "pä55 wörd")) == "235 2.7.0"
    assert client.mail(b"text\r\n") == "250 2.6.0"
    assert client.say(b"AUTH PLAIN " + plain("app", "pä55 wörd")) == "503 5.5.1"

    client = locked.connect().greet()
    assert client.say(b"auth plain") == "334"
    assert client.say(plain("app", "pä55 wörd")) == "235 2.7.0"


def test_auth_login(locked):
    client = locked.connect().greet()
    client.send(b"AUTH LOGIN\r\n")
    assert client.reply() == ["334 VXNlcm5hbWU6"]
    client.send(b64("app") + b"\r\n")
    assert client.reply() == ["334 UGFzc3dvcmQ6"]
    assert client.say(b64("pä55 wörd")) == "235 2.7.0"

    client = locked.connect().greet()
    assert client.say(b"AUTH LOGIN " + b64("app")) == "334"
    assert client.say(b64("pä55 wörd")) == "235 2.7.0"


@pytest.mark.parametrize(("username", "password"), [("app", "wrong"), ("other", "pä55 wörd"), ("", ""), ("app", "")])
def test_wrong_credentials_are_refused_and_the_third_time_is_the_last(locked, username, password):
    client = locked.connect().greet()

    codes = [client.say(b"AUTH PLAIN " + plain(username, password)) for _ in range(3)]

    assert codes == ["535 5.7.8", "535 5.7.8", "421 4.7.0"]
    assert client.ended()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([b"AUTH"], "501 5.5.4"),
        ([b"AUTH CRAM-MD5"], "504 5.5.4"),
        ([b"AUTH PLAIN !!!"], "501 5.5.2"),
        ([b"AUTH PLAIN ="], "501 5.5.2"),
        ([b"AUTH PLAIN " + b64("no nul")], "501 5.5.2"),
        ([b"AUTH PLAIN " + b64("a\0b\0c\0d")], "501 5.5.2"),
        ([b"AUTH PLAIN", b"*"], "501 5.7.0"),
        ([b"AUTH PLAIN", b""], "501 5.5.2"),
        ([b"AUTH LOGIN", b"*"], "501 5.7.0"),
        ([b"AUTH LOGIN", b64("app"), b"*"], "501 5.7.0"),
        ([b"AUTH LOGIN", b64("app"), b"\xff"], "501 5.5.2"),
        ([b"AUTH PLAIN", b"x" * 20_000], "500 5.5.6"),
    ],
)
def test_failed_auth_has_one_reply_and_the_session_stays_in_step(locked, lines, code):
    """Above all, no part of an AUTH response is ever executed as a command."""
    client = locked.connect().greet()
    for line in lines[:-1]:
        assert client.say(line) == "334"

    assert client.say(lines[-1]) == code
    assert client.say(b"NOOP") == "250 2.0.0"
    assert client.say(b"MAIL FROM:<a@b>") == "530 5.7.0"


def test_no_auth_in_a_transaction(client):
    client.say(b"MAIL FROM:<a@b>")

    assert client.say(b"AUTH PLAIN " + plain("any", "thing")) == "503 5.5.1"


def test_client_that_disconnects_during_auth_does_not_affect_others(locked):
    client = locked.connect().greet()
    client.say(b"AUTH PLAIN")
    client.socket.shutdown(socket.SHUT_WR)

    assert client.ended()
    assert locked.connect().greet().say(b"NOOP") == "250 2.0.0"


def test_no_credential_appears_in_a_log_or_repr(locked, caplog):
    caplog.set_level("DEBUG")
    secret = "pä55 wörd"
    client = locked.connect().greet()
    client.say(b"AUTH PLAIN " + plain("app", secret))
    client = locked.connect().greet()
    client.say(b"AUTH LOGIN")
    client.say(b64("app"))
    client.say(b64(secret))
    client.say(b64(secret))  # once more, as a command

    assert client.say(b"NOOP") == "250 2.0.0"
    for text in (secret, b64(secret).decode(), plain("app", secret).decode()):
        assert text not in caplog.text
        assert text not in repr(LOCKED)
