"""Headers: subject and sender are single clean lines for any header section."""

import pytest

from relay.parse.mime import read
from tests.support.mails import raw


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Harbour Books Failed", "Harbour Books Failed"),
        ("=?utf-8?q?B=C3=BCcher?=", "Bücher"),
        ("=?utf-8?b?QsO8Y2hlcg==?=", "Bücher"),
        ("=?iso-8859-1?Q?B=FCcher_fehlen?= now", "Bücher fehlen now"),
        ("=?utf-8?b?QsM=?=\n =?utf-8?b?vGNoZXI=?=", "Bücher"),  # a character split by the sender
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("folded\n  over\n\tlines", "folded over lines"),
        ("raw 8-bit Bücher", "raw 8-bit Bücher"),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("=?no-such?q?B=C3=BC?=", "Bü"),
        ("=?utf-8?b?!!!?=", ""),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("=?utf-8?q?a=0D=0ABcc:=20x=00?=", "a Bcc: x"),
        ("", ""),
    ],
)
def test_subject_is_one_clean_line_in_every_encoding(header, expected):
    assert read(raw(f"Subject: {header}")).subject == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Server Error <Server-Error@Example.com>", "server-error@example.com"),
        ("server-error@example.com", "server-error@example.com"),
        ('"a, b" <x@y>, z@example.com', "x@y"),
        ("nobody at all", ""),
        ("<>", ""),
    ],
)
def test_sender_is_the_first_address_in_lower_case(header, expected):
    assert read(raw(f"From: {header}")).sender == expected


def test_first_of_several_headers_counts_and_case_is_ignored():
    assert read(raw("sUBJECT: one\nSubject: two")).subject == "one"


@pytest.mark.parametrize(
    "head",
    [
        "Subject: " + "a" * 1_000_000,
        "Subject: x\n" + "X-A: b\n" * 100_000,
        "Subject: x\n" + "\n ".join(["X-A: b"] + ["c"] * 100_000),
        "From: " + "<(" * 20_000,
        "Subject: " + "=?utf-8?q?=41?= " * 20_000,
        "Content-Type: text/plain" + '; a*0="b' * 20_000,
        "Content-Type: multipart/mixed" + "; boundary=" * 20_000,
        ": no name",
        "no colon\nSubject: x",
        "\x00\x01\x02: \xff",
    ],
    ids=lambda head: head[:20],
)
def test_malformed_and_endless_headers_are_accepted(head):
    assert "It broke." in read(raw(head, b"It broke.")).text
    assert len(read(raw(head)).subject) <= 500
