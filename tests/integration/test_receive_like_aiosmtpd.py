"""The receiver accepts and refuses the same as bare aiosmtpd, and stores the same bytes.

The dialogs are generated: commands in any order; contents with dots, long lines, bare CR and LF; cut anywhere; broken
off. Cases where the two differ on purpose (docs/smtp-dialogs.md) are not generated.
"""

from __future__ import annotations

import contextlib
import itertools
import socket

import pytest
from aiosmtpd.controller import Controller
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.receive import Limits
from tests.support.receiving import RawClient, receiving

COMMANDS = st.sampled_from(
    [
        b"EHLO x",
        b"HELO x",
        b"NOOP",
        b"NOOP words",
        b"RSET",
        b"VRFY a",
        b"MAIL FROM:<a@example.com>",
        b"MAIL FROM:<b@example.com> SIZE=100",
        b"MAIL FROM:<>",
        b"RCPT TO:<c@example.com>",
        b"MAIL",
        b"EHLO",
        b"RSET now",
    ]
)
PIECES = st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"\0", b"\xff", b"text", b"QUIT", b"x" * 60, b" "])
CONTENTS = st.lists(PIECES, max_size=12).map(b"".join)
MAILS = CONTENTS.map(
    lambda content: b"RSET\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n" + dot_stuffed(content)
)
PARTS = st.one_of(COMMANDS.map(lambda line: line + b"\r\n"), MAILS)


def dot_stuffed(content: bytes) -> bytes:
    """Return content as a client sends it: whole lines, dot-stuffed, with the end mark."""
    lines = (content + b"\r\n").split(b"\r\n")[:-1]
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


class Collector:
    """A handler for aiosmtpd that keeps all contents."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 -- the library's name
        self.contents.append(envelope.original_content)
        return "250 OK"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Our receiver, and aiosmtpd's handler and port."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    handler = Collector()
    controller = Controller(handler, "127.0.0.1", port, enable_SMTPUTF8=True)
    controller.start()
    limits = Limits(errors=10**6, idle_commands=10**6, stop_within=0.2)
    with receiving(tmp_path_factory.mktemp("like"), limits) as running:
        yield running, handler, port
    controller.stop()


def reply_codes(port: int, pieces: list[bytes]) -> list[str]:
    """Send `pieces` and return the codes of all replies."""
    client = RawClient(port)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        for piece in pieces:
            client.send(piece)
        codes: list[str] = []
        while code := client.code():
            codes.append(code[:3])
        return codes
    finally:
        client.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PARTS, min_size=1, max_size=8), st.data())
def test_any_dialog_in_any_pieces_has_the_same_replies_and_contents(both, parts, data):
    running, handler, port = both
    stream = b"EHLO x\r\n" + b"".join(parts) + b"QUIT\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in itertools.pairwise([0, *cuts, len(stream)])]
    before, theirs_before = len(running.records()), len(handler.contents)

    ours, theirs = reply_codes(running.port, pieces), reply_codes(port, pieces)

    assert ours == theirs
    assert running.contents()[before:] == handler.contents[theirs_before:]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONTENTS, st.data())
def test_client_that_breaks_off_anywhere_leaves_only_complete_mails(both, content, data):
    """A mail is stored if its end mark arrived, and only then."""
    running = both[0]
    head = b"EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
    stream = head + dot_stuffed(content)
    end = data.draw(st.integers(0, len(stream)))
    before = len(running.records())
    client = RawClient(running.port)
    client.send(stream[:end])
    with contextlib.suppress(OSError):
        client.socket.shutdown(socket.SHUT_WR)
    while client.code():
        pass
    client.close()

    assert len(running.records()) - before == (end == len(stream))
