"""The bytes of a mail: headers, encodings, threads, and the shorter versions after "too large"."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.compose.message import Heading, compose, html_part, shorter, text_part
from relay.model import MessageKind
from relay.text import one_line
from tests.support.digests import NOW

ID = "5f2b8c1de0a94476b3f1d2c4a5e60718"


def heading(**fields):
    given: dict[str, Any] = {
        "id": ID,
        "kind": MessageKind.DIGEST,
        "sender": "server-error@example.com",
        "recipients": ("yourname@example.com",),
        "at": NOW,
    }
    return Heading(**(given | fields))


def mail(subject="Subject", text="Text\n", html="<p>Text</p>", **fields) -> bytes:
    return compose(heading(**fields), subject=subject, text=text, html=html)


def read(raw: bytes):
    return message_from_bytes(raw, policy=policy.default)


def test_headers_have_sender_recipients_date_and_auto_submitted():
    headers = read(mail(recipients=("a@example.com", "b@example.com"), kind=MessageKind.CATCH_UP))

    assert headers["From"] == "server-error@example.com"
    assert headers["To"] == "a@example.com, b@example.com"
    assert headers["Date"].datetime == NOW
    assert headers["Message-ID"] == f"<{ID}@example.com>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-Error-Mail-Relay"] == "follow-up"
    assert headers["References"] is headers["In-Reply-To"] is None


@pytest.mark.parametrize("host", ["example.com", "a-rather-long-host-name." * 8 + "example.com"])
def test_message_id_of_the_thread_is_written_unchanged(host):
    """The standard library would encode a long one as text, and mail clients would not recognise the thread."""
    thread = f"<{ID}@{host}>"

    raw = mail(thread=thread)

    assert f"\r\nIn-Reply-To: {thread}\r\nReferences: {thread}\r\n".encode() in raw


@pytest.mark.parametrize("thread", ["no message id", "<a@b>\r\nBcc: c@example.com", "<a@b> <c@d>", "<@>"])
def test_thread_that_is_not_a_message_id_is_left_out(thread):
    headers = read(mail(thread=thread))

    assert headers["References"] is headers["In-Reply-To"] is headers["Bcc"] is None


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?q?a=0D=0ABcc:_victim@example.com?=",
        "=?utf-8?b?YQ0KQmNjOiB2aWN0aW1AZXhhbXBsZS5jb20=?= and more",
        "x=?utf-8?q?a=0ABcc:_victim@example.com?=y",
    ],
)
def test_encoded_word_in_a_subject_stays_text(subject):
    """The standard library would decode it and write its line breaks into the headers."""
    raw = mail(subject=subject)

    assert b"\r\nBcc" not in raw
    assert read(raw)["Subject"] == subject


@settings(deadline=None)
@given(st.text(st.characters()))
def test_any_subject_stays_one_header(text):
    subject = one_line(text, 200)

    headers = read(mail(subject=subject))

    assert set(headers.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Error-Mail-Relay", "MIME-Version",
        "Content-Type",
    }  # fmt: skip
    assert headers["Subject"] == subject


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t")))
def test_any_text_is_read_back_unchanged(text):
    text = text + "\n"

    raw = mail(text=text, html=text)

    assert (text_part(raw), html_part(raw)) == (text, text)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_parts_are_alternatives_in_seven_bit_encodings():
    message = read(mail(text="▁▂█ " + "x" * 3000 + "\n.\nFrom me\n", html="<p>" + "▁▂█ " * 300))

    assert message.get_content_type() == "multipart/alternative"
    assert [(part.get_content_type(), part["Content-Transfer-Encoding"]) for part in message.iter_parts()] == [
        ("text/plain", "quoted-printable"),
        ("text/html", "base64"),  # shorter for this text
    ]


def test_equal_input_gives_equal_bytes():
    assert mail() == mail()


def test_too_many_recipients_are_not_named_in_the_to_header():
    headers = read(mail(recipients=tuple(f"somebody-{n}@example.com" for n in range(200))))

    assert headers["To"] == "undisclosed-recipients:;"


@pytest.mark.parametrize(
    "bad", ["", "nobody", "a@b\nBcc: c@example.com", "@", "a b@c d", "ü@example.com", "a@" + "b" * 70]
)
def test_invalid_recipient_is_left_out_of_the_to_header(bad):
    headers = read(mail(recipients=("a@example.com", bad)))

    assert "a@example.com" in headers["To"]
    assert headers["Bcc"] is None


def test_non_ascii_domain_is_written_in_ascii():
    raw = mail(sender="relay@bücher.example", recipients=("a@bücher.example",))

    assert b"\r\nTo: a@xn--bcher-kva.example\r\n" in raw
    assert f"Message-ID: <{ID}@xn--bcher-kva.example>\r\n".encode() in raw


def test_missing_part_is_read_as_an_empty_text():
    assert (text_part(b""), html_part(b"Subject: x\r\n\r\nplain\r\n")) == ("", "")
    assert text_part(b"Subject: x\r\n\r\nplain\r\n") == "plain\n"


def test_date_header_is_in_the_zone_of_the_given_time():
    assert b"\r\nDate: Tue, 03 Mar 2026 13:08:02 +0000\r\n" in mail(at=datetime(2026, 3, 3, 13, 8, 2, tzinfo=UTC))


# --- Shorter versions -------------------------------------------------------------------------------------------------


def fields_of(raw: bytes) -> list[tuple[str, str]]:
    about_the_body = ("content-type", "content-transfer-encoding")
    return [pair for pair in message_from_bytes(raw).items() if pair[0].lower() not in about_the_body]


def test_shorter_first_leaves_out_the_html():
    raw = mail(subject="5 × “new”", text="Größe: 7\n" * 40, html="<p>" + "x" * 50_000)

    shortened = shorter(raw)

    assert shortened is not None
    assert sorted(fields_of(shortened)) == sorted(fields_of(raw))
    assert (text_part(shortened), html_part(shortened)) == ("Größe: 7\n" * 40, "")
    assert shortened.isascii()
    assert shorter(shortened) is None


def test_shorter_then_leaves_out_the_middle_of_the_text_and_a_line_says_so():
    text = "2 new\n" + "".join(f"line {number}\n" for number in range(9000)) + "Books: they balance\n"
    raw = mail(subject="s", text=text, html="<p>")

    shortest = shorter(shorter(raw) or b"")

    assert shortest is not None
    assert len(shortest) < 10_000
    assert sorted(fields_of(shortest)) == sorted(fields_of(raw))
    lines = text_part(shortest).splitlines()
    assert (lines[0], lines[-1]) == ("2 new", "Books: they balance")
    assert sum("refused this mail as too large" in line for line in lines) == 1
    assert {re.sub(r"\d+", "N", line) for line in lines[1:-1] if "too large" not in line} == {"line N", ""}
    assert shorter(shortest) is None


def test_mail_without_a_text_part_cannot_be_shortened():
    assert shorter(b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>\r\n") is None
