"""Incoming mail from stock clients and from raw sockets, byte for byte."""

from __future__ import annotations

import itertools
import logging
import logging.handlers
import smtplib
import socket
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model import CUT_MARKER, Retained
from relay.receive import Limits
from tests.support.receiving import RawClient, receiving

LARGE = Limits(stop_within=0.2, max_size=3 << 20)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with receiving(tmp_path_factory.mktemp("receive") / "spool", LARGE) as running:
        yield running


@pytest.fixture
def stored(running):
    """Return a function that gives the records stored since the test began."""
    before = len(running.records())
    return lambda: running.records()[before:]


@pytest.fixture
def client(running):
    return running.connect().greet()


# --- Stock clients ----------------------------------------------------------------------------------------------------


class RaisingHandler(logging.handlers.SMTPHandler):
    """The stock handler, but errors are raised."""

    def handleError(self, record):  # noqa: N802 -- the library's name
        raise  # noqa: PLE0704 -- called while the exception is handled


def log_one_error(port: int, **options) -> None:
    """Log an exception as in the documented recipe."""
    logger = logging.Logger("app")
    logger.addHandler(
        RaisingHandler(("127.0.0.1", port), "server-error@example.com", ["admin@example.com"], "Failed", **options)
    )
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("Exception on /checkout")


@pytest.mark.parametrize("options", [{}, {"credentials": ("someone", "some password")}])
def test_stock_handler_works_unchanged(running, stored, options):
    """With credentials too: they were meant for the previous mail server."""
    before = datetime.now(UTC)
    log_one_error(running.port, **options)

    (record,) = stored()
    assert record.envelope.sender == "server-error@example.com"
    assert record.envelope.recipients == ("admin@example.com",)
    assert record.envelope.peer == "127.0.0.1"
    assert before <= record.received_at <= datetime.now(UTC)
    assert b"ZeroDivisionError: division by zero" in record.content
    assert (record.retained, record.size) == (Retained.WHOLE, len(record.content))


def test_smtplib_sends_utf8_addresses_and_8_bit_content(running, stored):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ä@exämple.com", "ö@example.com", "Prüfung"
    message.set_content("ŝalom", cte="8bit")
    with smtplib.SMTP("127.0.0.1", running.port, timeout=5) as client:
        client.send_message(message)

    (record,) = stored()
    assert (record.envelope.sender, record.envelope.recipients) == ("ä@exämple.com", ("ö@example.com",))
    assert "ŝalom".encode() in record.content


@pytest.mark.parametrize("login", ["auth_plain", "auth_login"])
def test_any_credentials_are_valid_if_no_password_is_set(running, login):
    with smtplib.SMTP("127.0.0.1", running.port, timeout=5) as client:
        client.ehlo()
        client.user, client.password = "user", "secret"

        code, _ = client.auth(login.removeprefix("auth_").upper(), getattr(client, login))

    assert code == 235


def test_recipients_of_any_kind_are_accepted_as_a_hint(client, stored):
    client.say(b"MAIL FROM:<>")
    for address in (b"<nobody@nowhere.invalid>", b"<Postmaster>", b'<"a b"@[127.0.0.1]>', b"<@hop:user%other@x>"):
        assert client.say(b"RCPT TO:" + address) == "250 2.1.5"
    assert client.say(b"DATA") == "354"
    assert client.say(b".") == "250 2.6.0"

    (record,) = stored()
    assert record.envelope.sender == ""
    assert record.envelope.recipients == (
        *("nobody@nowhere.invalid", "Postmaster", '"a b"@[127.0.0.1]', "user%other@x"),
    )


# --- The bytes after DATA ---------------------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b".", b"..", b"\0", b"\xff\xfe", b"text", b"QUIT", b"MAIL FROM:<evil@example.com>", b" "]
)
CONTENTS = st.one_of(st.lists(FRAGMENTS, max_size=25).map(b"".join), st.binary(max_size=300))


def dot_stuffed(content: bytes) -> bytes:
    """Return what a client sends for `content`: its lines, dot-stuffed, and the end mark (RFC 5321, section 4.5.2)."""
    if not content.endswith(b"\r\n") and content:
        content += b"\r\n"
    lines = content.split(b"\r\n")[:-1]
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def whole_lines(content: bytes) -> bytes:
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CONTENTS, min_size=1, max_size=4), st.data())
def test_contents_arrive_exactly_in_any_pieces(running, given_contents, data):
    """Several mails in one pipelined stream, cut anywhere: each is stored byte for byte and has one reply."""
    mails = [
        b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n" + dot_stuffed(content)
        for content in given_contents
    ]
    stream = b"EHLO x\r\n" + b"".join(mails) + b"QUIT\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    before = len(running.records())
    client = RawClient(running.port)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start, end in itertools.pairwise([0, *cuts, len(stream)]):
        client.send(stream[start:end])

    assert [client.code(), client.code()] == ["220", "250"]
    for _ in given_contents:
        assert [client.code() for _ in range(4)] == ["250 2.1.0", "250 2.1.5", "354", "250 2.6.0"]
    assert client.code() == "221 2.0.0"
    assert client.ended()
    client.close()
    assert running.contents()[before:] == [whole_lines(content) for content in given_contents]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_mail_in_small_pieces_is_the_same_mail(client, stored, size):
    content = b".first\r\n..\r\n\r\n.\n.\r.\r\r\n. \r\nlast\r\n"
    stream = dot_stuffed(content)
    client.begin_data()
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(stream), size):
        client.send(stream[start : start + size])

    assert client.code() == "250 2.6.0"
    assert [record.content for record in stored()] == [content]


@pytest.mark.parametrize(
    "sequence",
    [
        b"\n.\n",
        b"\r.\r",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r.\r\n",
        b"\n.\r",
        b"\r\r\n.\n",
        b"\r\n\0.\r\n",
        b"\n\n.\r\n",
    ],
)
def test_bare_line_ends_neither_end_data_nor_smuggle_a_mail(client, stored, sequence):
    """Each known smuggling sequence is data: there is one mail and one reply."""
    smuggled = b"one" + sequence + b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<x@example.com>\r\nDATA\r\ntwo\r\n"
    client.begin_data()
    client.send(smuggled + b".\r\n")

    assert client.code() == "250 2.6.0"
    assert client.say(b"NOOP") == "250 2.0.0"
    (record,) = stored()
    assert record.content == smuggled.replace(b"\r\n.", b"\r\n")
    assert record.envelope.sender == "app@example.com"


def test_empty_mail_is_stored(client, stored):
    assert client.mail(b"") == "250 2.6.0"

    (record,) = stored()
    assert (record.content, record.size) == (b"", 0)


def test_very_long_lines_and_control_bytes_are_kept(client, stored):
    content = b"x" * 200_000 + b"\r\n" + bytes(range(256)).replace(b"\r\n", b"") + b"\r\n"

    assert client.mail(content) == "250 2.6.0"
    assert [record.content for record in stored()] == [content]


def test_bytes_after_the_end_mark_are_the_next_command(client, stored):
    client.begin_data()
    client.send(b"text\r\n.\r\nNOOP\r\nMAIL FROM:<next@example.com>\r\nQUIT\r\n")

    assert [client.code() for _ in range(4)] == ["250 2.6.0", "250 2.0.0", "250 2.1.0", "221 2.0.0"]
    assert len(stored()) == 1


def test_client_that_closes_its_sending_half_gets_all_replies(running, stored):
    client = running.connect()
    client.send(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ntext\r\n.\r\nQUIT\r\n")
    client.socket.shutdown(socket.SHUT_WR)

    codes = [client.code() for _ in range(7)]
    assert codes == ["220", "250", "250 2.1.0", "250 2.1.5", "354", "250 2.6.0", "221 2.0.0"]
    assert len(stored()) == 1


@pytest.mark.parametrize("sent", [b"", b"text", b"text\r\n", b"text\r\n.", b"text\r\n.\r", b"text\r\n.\n"])
@pytest.mark.parametrize("how", ["close", "half"])
def test_incomplete_mail_is_not_stored(running, client, stored, sent, how):
    client.begin_data()
    client.send(sent)
    if how == "close":
        client.close()
    else:
        client.socket.shutdown(socket.SHUT_WR)
        assert client.ended()

    assert running.connect().greet().mail(b"another\r\n") == "250 2.6.0"
    assert [record.content for record in stored()] == [b"another\r\n"]


# --- Sizes ------------------------------------------------------------------------------------------------------------


def lines(size: int) -> bytes:
    """Return content of exactly `size` bytes (at least 10) in lines, all different."""
    return b"-" * (size % 10) + b"".join(b"%08d\r\n" % number for number in range(size // 10))


@pytest.mark.parametrize("extra", [-1, 0])
def test_mail_up_to_256_kib_is_kept_whole(client, stored, extra):
    content = lines((256 << 10) + extra)

    assert client.mail(content) == "250 2.6.0"
    (record,) = stored()
    assert (record.retained, record.content, record.size) == (Retained.WHOLE, content, len(content))


@pytest.mark.parametrize("size", [(256 << 10) + 1, 300_000, 1 << 20])
def test_larger_mail_is_stored_as_both_ends_with_its_original_size(client, stored, size):
    content = lines(size)

    assert client.mail(content) == "250 2.6.0"
    (record,) = stored()
    marker = CUT_MARKER % (size - (256 << 10))
    assert record.content == content[: 192 << 10] + marker + content[-(64 << 10) :]
    assert (record.retained, record.size) == (Retained.ENDS, size)


def test_stuffed_dots_are_not_counted_as_content(client, stored):
    content = b".\r\n" * 100_000
    client.begin_data()
    client.send(dot_stuffed(content))

    assert client.code() == "250 2.6.0"
    (record,) = stored()
    assert record.size == 300_000
    assert record.content == content[: 192 << 10] + CUT_MARKER % (300_000 - (256 << 10)) + content[-(64 << 10) :]


def test_mail_of_exactly_the_size_limit_is_accepted(client, stored):
    assert client.mail(lines(LARGE.max_size)) == "250 2.6.0"

    (record,) = stored()
    assert record.size == LARGE.max_size


def test_mail_over_the_size_limit_is_read_to_its_end_and_refused(client, stored):
    content = lines(LARGE.max_size + 1)

    assert client.mail(content) == "552 5.3.4"
    assert stored() == []
    assert client.mail(b"next\r\n") == "250 2.6.0"
    assert [record.content for record in stored()] == [b"next\r\n"]


def test_end_marks_and_commands_inside_an_oversize_mail_are_data(client, stored):
    client.begin_data()
    client.send(lines(LARGE.max_size) + b"..\r\nQUIT\r\n\n.\n.\r\r\nMAIL FROM:<evil@example.com>\r\n.\r\n")

    assert client.code() == "552 5.3.4"
    assert client.say(b"NOOP") == "250 2.0.0"
    assert stored() == []


def test_declared_size_is_checked_at_mail(client):
    assert client.say(b"MAIL FROM:<a@b> SIZE=%d" % (LARGE.max_size + 1)) == "552 5.3.4"
    assert client.say(b"MAIL FROM:<a@b> SIZE=%d" % LARGE.max_size) == "250 2.1.0"
