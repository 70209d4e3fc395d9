"""Decoding of mails: any bytes give a clean subject and text, in bounded time and memory."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import CUT_MARKER
from relay.parse.mime import MAX_TEXT, read
from tests.support.mails import TRACEBACK, ends_of, mail, raw

# --- Transfer encodings -----------------------------------------------------------------------------------------------


UMLAUTS = "Störung: Prüfsumme für „Öl“ fehlt"


@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
def test_text_is_decoded_from_every_transfer_encoding(cte):
    assert read(mail(UMLAUTS, cte=cte)).text.strip() == UMLAUTS


def test_mail_without_headers_is_read_as_text():
    assert read(b"\r\nIt broke.\r\n").text == "It broke.\n"
    assert read(b"It broke.\r\n").text == "It broke.\n"


@pytest.mark.parametrize("body", [b"!!!!", b"QUJD*REVG", b"QUJDR", b"=", b"QUJD\xff\x00REVG", b"QUJDREVG==QUJD"])
def test_malformed_base64_is_decoded_as_far_as_possible_or_left_unchanged(body):
    text = read(raw("Content-Transfer-Encoding: base64", body)).text

    assert "ABC" in text or text == body.decode()


@pytest.mark.parametrize("body", [b"a=ZZb", b"a=", b"a==b", b"=3D=\r\n=3", b"\xff=41"])
def test_malformed_quoted_printable_is_decoded_as_far_as_possible(body):
    assert isinstance(read(raw("Content-Transfer-Encoding: quoted-printable", body)).text, str)


# --- Structure --------------------------------------------------------------------------------------------------------


def multipart(*parts: bytes, boundary: str = "frontier", kind: str = "mixed", closed: bool = True) -> bytes:
    lines = [b"preamble", *(b"--" + boundary.encode() + b"\r\n" + part for part in parts)]
    body = b"\r\n".join([*lines, b"--" + boundary.encode() + b"--" if closed else b""])
    return raw(f'Content-Type: multipart/{kind}; boundary="{boundary}"', body)


def part(kind: str, body: bytes, more: str = "") -> bytes:
    return f"Content-Type: {kind}{more}\r\n\r\n".encode() + body


def test_plain_part_is_preferred_to_html():
    content = mail("the plain one", html="<p>the other</p>")

    assert read(content).text.strip() == "the plain one"


def test_html_without_a_plain_part_is_read_without_markup():
    source = b"<html><head><title>Report</title><style>p { color: red }</style><script>alert('x')</script></head>"
    source += (
        b"<body><!-- note --><p>It &lt;broke&gt; &amp; <b>burned</b>.</p><pre>  File &quot;a.py&quot;</pre></body>"
    )

    text = read(raw("Content-Type: text/html", source)).text

    assert text.split("\n") == ["Report", "It <broke> & burned.", '  File "a.py"', ""]


@pytest.mark.parametrize("between", [b"", b"\n    "])
def test_first_cell_of_a_row_becomes_a_label(between):
    source = b"<table><tr><th>password</th>" + between + b"<td>kX9-vq27Lm</td>" + between + b"<td>7</td></tr></table>"

    text = read(raw("Content-Type: text/html", source)).text

    assert text.startswith("password: kX9-vq27Lm 7")


def test_html_is_used_if_the_plain_part_is_empty():
    content = multipart(part("text/plain", b" \r\n"), part("text/html", b"<p>here</p>"), kind="alternative")

    assert read(content).text.strip() == "here"


def test_attachment_is_not_the_text():
    attached = part("text/plain", b"settings", "\r\nContent-Disposition: attachment; filename=a.txt")

    assert read(multipart(attached, part("text/plain", b"It broke."))).text == "It broke."


def test_text_in_nested_parts_and_forwarded_mails_is_found():
    inner = multipart(part("text/plain", b"It broke."), boundary="inner")
    forwarded = part("message/rfc822", b"Subject: inner\r\n\r\nIt broke.")

    assert read(multipart(part("image/png", b"\x89PNG"), inner, boundary="outer")).text == "It broke."
    assert read(multipart(forwarded)).text == "It broke."


@pytest.mark.parametrize(
    "content",
    [
        multipart(part("text/plain", b"It broke."), closed=False),
        multipart(part("text/plain", b"It broke.\r\n--frontierx\r\nstill mine")),
        raw('Content-Type: multipart/mixed; boundary="other"', b"--frontier\r\n\r\nIt broke."),
        raw("Content-Type: multipart/mixed", b"It broke."),
        raw("Content-Type: nonsense; ; =", b"It broke."),
        raw("Content-Type: multipart/mixed; boundary=frontier", b"--frontier\nSubject: x\n\nIt broke.\n--frontier--\n"),
    ],
    ids=["not closed", "longer boundary", "wrong boundary", "no boundary", "no type", "bare LF"],
)
def test_text_in_a_malformed_structure_is_found(content):
    assert "It broke." in read(content).text


def nested(depth: int) -> bytes:
    heads = (f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n'.encode() for n in range(depth))
    return b"".join(heads) + b"Content-Type: text/plain\r\n\r\nIt broke.\r\n"


@pytest.mark.parametrize(
    "content",
    [
        nested(1_000),
        multipart(*[part("image/png", b"a")] * 10_000),
        multipart(*[part("multipart/mixed; boundary=frontier", b"--frontier\r\n")] * 3_000),
        raw("Content-Type: multipart/mixed; boundary=x", b"--x" * 90_000),
        raw("Content-Type: text/html", b"<script" * 40_000),
        raw("Content-Type: text/html", b"<" * 250_000),
        raw("Content-Type: text/html", b"&#" + b"9" * 200_000 + b";"),
        raw("Content-Type: text/plain; charset=punycode", b"a-" + b"b9" * 120_000),
    ],
    ids=["deep", "wide", "both", "boundaries", "scripts", "brackets", "entity", "punycode"],
)
def test_hostile_structure_is_read_within_limits(content):
    assert len(read(content).text) <= len(content)


def test_only_the_ends_of_a_huge_mail_are_read():
    text = read(raw("Subject: x", b"head " * 100_000 + b"\r\n" * 10 + b"a" * 50_000_000 + b"\r\nthe end")).text

    assert len(text) <= MAX_TEXT + 100
    assert text.startswith("head head")
    assert text.endswith("the end")
    assert "bytes left out ...]\n" in text


# --- Mails of which only the ends were kept ---------------------------------------------------------------------------

LONG = "\n".join(f"line {number:06d} of a very long message, für alle Fälle" for number in range(12_000))
LONG_WITH_TRACE = f"first line\n{LONG}\n{TRACEBACK}\n"


@pytest.mark.parametrize("shift", range(5))
@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
def test_end_of_a_cut_mail_is_decoded_from_every_transfer_encoding(cte, shift):
    """`shift` moves the position of the cut, which may fall inside a base64 group or an escape sequence."""
    text = read(ends_of(mail("x" * shift + LONG_WITH_TRACE, cte=cte))).text

    assert text.startswith("x" * shift + "first line\nline 000000")
    assert text.endswith(TRACEBACK + "\n")
    assert "\n[... error-mail-relay: " in text


@pytest.mark.parametrize("shift", range(4))
def test_end_of_a_cut_mail_in_base64_without_line_ends_is_decoded(shift):
    body = b64encode(b"y" * shift + LONG_WITH_TRACE.encode())

    assert read(ends_of(raw("Content-Transfer-Encoding: base64", body))).text.endswith(TRACEBACK + "\n")


@pytest.mark.parametrize("charset", ["utf-16", "utf-32-le", "shift_jis"])
def test_end_of_a_cut_mail_in_a_multi_byte_charset_is_decoded(charset):
    body = b64encode(LONG_WITH_TRACE.replace("ü", "u").replace("ä", "a").encode(charset))
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64"

    assert read(ends_of(raw(head, body))).text.endswith(TRACEBACK + "\n")


@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
def test_tail_of_the_html_part_is_read_if_the_plain_part_is_cut(cte):
    """The plain part ends in the removed middle, and the tail belongs to the HTML part."""
    html = (
        "<html><body><p>"
        + LONG.replace("\n", "<br>\n")
        + "</p><pre>"
        + TRACEBACK.replace('"', "&quot;")
        + "</pre></body></html>"
    )

    text = read(ends_of(mail(LONG_WITH_TRACE, cte=cte, html=html))).text

    assert text.startswith("first line\nline 000000")
    assert "ZeroDivisionError: division by zero" in text
    assert "</" not in text[-2_000:]


def test_part_ends_at_a_closing_boundary_in_the_tail():
    body = multipart(part("text/plain", LONG_WITH_TRACE.encode()), part("image/png", b"\x89PNG"))

    assert read(ends_of(body)).text.endswith("ZeroDivisionError: division by zero\n")


def test_cut_is_marked_with_the_cut_marker():
    left_out = len(mail(LONG, cte="8bit")) - 256 * 1024

    assert (CUT_MARKER % left_out).decode().strip() in read(ends_of(mail(LONG, cte="8bit"))).text


# --- Arbitrary input --------------------------------------------------------------------------------------------------

heads = st.lists(
    st.sampled_from(
        [
            b"Subject: =?utf-8?q?=C3?=",
            b"From: <a@b>",
            b"Content-Type: multipart/mixed; boundary=x",
            b"Content-Type: text/html; charset=utf-16",
            b"Content-Type: text/plain; charset=utf-7",
            b"Content-Transfer-Encoding: base64",
            b"Content-Transfer-Encoding: quoted-printable",
            b"X-Error-Mail-Count: 5",
            b"--x",
            b"--x--",
            b"",
        ]
    )
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), heads, st.binary(max_size=400))
def test_arbitrary_bytes_give_clean_texts(before, lines, after):
    decoded = read(before + b"\r\n".join(lines) + after)

    for text in (decoded.subject, decoded.sender, decoded.text):
        assert not any(char < " " and char not in "\n\t" for char in text)
        assert text.encode("utf-8").decode() == text
    assert "\n" not in decoded.subject + decoded.sender
