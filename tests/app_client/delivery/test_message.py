"""Composed mails: valid for any mail program, and no value can add a header."""

import dataclasses
import email
import email.policy
import re
from datetime import UTC, datetime

import pytest

from app_client.capture.report import Report
from app_client.delivery.message import Origin, addresses, compose, envelope
from app_client.delivery.queue import QueuedMail

ORIGIN = Origin(app="shop", environment="production", release="7", host="web_1.example.com")


REPORT = Report(
    sender="server-error@example.com",
    recipients=("yourname@example.com",),
    subject="YourApplication Failed",
    text="an error",
    created=1_700_000_000.0,
    logger="yourapplication",
    level="ERROR",
    kind=1,
)


def queued(*, count: int = 1, dropped: int = 0, **changes) -> QueuedMail:
    report = dataclasses.replace(REPORT, **changes)
    return QueuedMail(record_id="0123456789abcdef" * 2, report=report, count=count, dropped=dropped)


def parsed(content: bytes):
    return email.message_from_bytes(content, policy=email.policy.default)


def test_mail_has_the_standard_headers():
    message = parsed(compose(queued(), ORIGIN))

    assert message["From"] == "server-error@example.com"
    assert message["To"] == "yourname@example.com"
    assert message["Subject"] == "YourApplication Failed"
    assert message["Message-ID"] == "<0123456789abcdef0123456789abcdef@web-1.example.com>"
    assert message["Date"].datetime == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert message.get_content_type() == "text/plain"
    assert not message.defects


def test_the_same_queued_mail_gives_the_same_bytes():
    assert compose(queued(), ORIGIN) == compose(queued(), ORIGIN)


def test_counts_are_in_headers():
    message = parsed(compose(queued(count=1_000_000, dropped=17), ORIGIN))

    assert message["X-Error-Mail-Count"] == "1000000"
    assert message["X-Error-Mail-Dropped"] == "17"


def test_empty_headers_are_left_out():
    message = parsed(compose(queued(), Origin(app="", environment="", release="", host="web")))

    assert {name for name in message if name.startswith("X-Error-Mail-")} == {
        "X-Error-Mail-Client", "X-Error-Mail-Record", "X-Error-Mail-Count",
        "X-Error-Mail-Host", "X-Error-Mail-Logger", "X-Error-Mail-Level",
    }  # fmt: skip


INJECTIONS = [
    "Failed\nBcc: evil@example.com",
    "Failed\r\nBcc: evil@example.com\r\n\r\nbody",
    "Failed\rBcc: evil@example.com",
    "Failed\n Bcc: evil@example.com",
    "Failed\x0bBcc: evil@example.com",
    "Failed\x85Bcc: evil@example.com",
    "Failed\u2028Bcc: evil@example.com",
    "=?utf-8?q?Failed=0ABcc:_evil@example.com?=",
    "=?utf-8?b?RmFpbGVkDQpCY2M6IGV2aWxAZXhhbXBsZS5jb20=?=",
    "größer =?utf-8?q?=0ABcc:_evil@example.com?=",
    "=?us-ascii?q?" + "x" * 300 + "=0ABcc:_evil@example.com?=",
    "x" * 1500 + "\nBcc: evil@example.com",
    " leading\n\n",
    "\udcff broken \ud800",
    "\0",
]


@pytest.mark.parametrize("value", INJECTIONS, ids=range(len(INJECTIONS)))
@pytest.mark.parametrize("place", ["subject", "logger", "level", "app", "release", "host"])
def test_no_value_can_add_a_header(place, value):
    """Also after the reader has decoded the headers: encoded words in a value stay text."""
    if place in ("subject", "logger", "level"):
        content = compose(queued(**{place: value}), ORIGIN)
    else:
        content = compose(
            queued(), Origin(**{"app": "", "environment": "", "release": "", "host": "web", place: value})
        )
    head, _, body = content.partition(b"\r\n\r\n")

    assert body == b"an error"
    assert re.fullmatch(rb"(?:[A-Za-z-]+: ?[\x20-\x7e]*(?:\r\n[ \t][\x20-\x7e]+)*\r\n)+", head + b"\r\n")
    assert not re.search(rb"^Bcc", head, re.MULTILINE | re.IGNORECASE)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert parsed(content)["Bcc"] is None
    assert all(ord(character) >= 32 for character in str(parsed(content)["Subject"]))


@pytest.mark.parametrize(
    "subject", ["größer als 3", "日本語" * 60, "=?utf-8?q?x?=", "a" * 500, "two  spaces", "100 % sure"]
)
def test_subject_arrives_unchanged(subject):
    assert parsed(compose(queued(subject=subject), ORIGIN))["Subject"] == subject


def test_text_headers_are_truncated_at_200_characters():
    message = parsed(compose(queued(logger="ü" * 300), ORIGIN))

    assert message["X-Error-Mail-Logger"] == "ü" * 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nMessage type:       ERROR\n\nTraceback\n", "\nMessage type:       ERROR\n\nTraceback\n"),
        ("größer\n  als 3", "größer\n  als 3"),
        ("x" * 5000, "x" * 5000),
        ("ü" * 5000, "ü" * 5000),
        (".\n..\n.\r\n", ".\n..\n.\n"),
        ("From me\nFrom you", "From me\nFrom you"),
        ("a\rb\r\nc", "a\nb\nc"),
        ("nothing\0here", "nothing\\x00here"),
        ("file \udcff.txt", "file \\udcff.txt"),
        ("", ""),
        ("\x1b[31mred\x0c", "\x1b[31mred\x0c"),
    ],
    ids=[
        "format",
        "umlauts",
        "long",
        "long umlauts",
        "dots",
        "From",
        "line ends",
        "NUL",
        "surrogate",
        "empty",
        "escape",
    ],
)
def test_text_arrives_unchanged(text, expected):
    """Except for line ends, and characters that a mail cannot contain."""
    content = compose(queued(text=text), ORIGIN)

    assert content.isascii()
    assert b"\0" not in content
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert parsed(content).get_content().replace("\r\n", "\n") == expected


def test_display_names_may_use_any_script():
    report = queued(sender="Jörg Müller <joerg@example.com>", recipients=('"Ä, Ö" <a@example.com>', "b@example.com"))
    message = parsed(compose(report, ORIGIN))

    assert message["From"].addresses[0].addr_spec == "joerg@example.com"
    assert message["From"].addresses[0].display_name == "Jörg Müller"
    assert [each.addr_spec for each in message["To"].addresses] == ["a@example.com", "b@example.com"]
    assert envelope(report.report) == ("joerg@example.com", ["a@example.com", "b@example.com"])


def test_many_recipients_do_not_make_a_long_line():
    recipients = tuple(f"administrator-number-{number}@example.com" for number in range(200))
    content = compose(queued(recipients=recipients), ORIGIN)

    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert [each.addr_spec for each in parsed(content)["To"].addresses] == list(recipients)


@pytest.mark.parametrize("text", ["a@b", "root", "Name <a@b>", "a@b, c@d"])
def test_usual_forms_of_addresses_are_accepted(text):
    assert addresses((text,))


@pytest.mark.parametrize("text", ["", " ", "Name <>", "a@b\nBcc: c@d", "jörg@example.com", "a@exämple.com", "a@b\0"])
def test_an_invalid_address_is_refused(text):
    with pytest.raises(ValueError, match="mail address"):
        addresses((text,))
