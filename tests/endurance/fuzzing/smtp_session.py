"""A client that sends any bytes: each line has one well-formed reply, and only complete mails are stored."""

from __future__ import annotations

import asyncio
import re

from relay.model import Envelope
from relay.receive import Limits
from relay.receive.buffer import Buffer, EndlessLine, LineTooLong
from relay.receive.content import Content
from relay.receive.mail_and_rcpt import parse_path
from relay.receive.memory import MemoryBudget
from relay.receive.proxy_protocol import BadHeader, client_address, header_length
from relay.receive.session import Session

_REPLY = re.compile(rb"(?:[2-5]\d\d-[\x20-\x7e]*\r?\n)*[2-5]\d\d [\x20-\x7e]*(?:\r\n)?")


class _Client:
    """The session's connection. It offers everything and completes slow operations at once."""

    peer = "127.0.0.1"
    secure = False
    offers_tls = True
    offers_auth = True
    needs_auth = False
    paused = False

    def __init__(self) -> None:
        self.memory = MemoryBudget(4_000)
        self.stored: list[tuple[Envelope, Content]] = []
        self.restarted = False

    def verify(self, claimed: object) -> bool:
        return False

    def start_tls(self) -> None:
        self.restarted = True

    def store(self, envelope: Envelope, content: Content) -> None:
        self.stored.append((envelope, content))

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def check(data: bytes) -> None:
    _check_proxy_header(data)
    client, limits = _Client(), Limits(max_size=10_000, errors=10_000, idle_commands=10_000)
    session, buffer = Session(client, limits), Buffer(2_000)
    buffer.feed(b"EHLO x\r\n" + data, client)
    while not session.ended and not client.restarted:
        if session.content is not None:
            if not _feed_content(session, buffer, client):
                break
            continue
        try:
            line = buffer.line()
        except LineTooLong:
            _check_reply(session.handle_long_line())
            continue
        except EndlessLine:
            break
        if line is None:
            break
        reply = session.handle_line(line)
        if reply is not None:
            _check_reply(reply)
    for envelope, content in client.stored:
        assert content.size <= limits.max_size
        assert not set("\r\n\0") & set("".join((envelope.sender, *envelope.recipients)))
        assert envelope.recipients


def _feed_content(session: Session, buffer: Buffer, client: _Client) -> bool:
    """Continue with the content of a mail; return False if it has no end."""
    assert session.content is not None
    rest = session.content.feed(buffer.take())
    if rest is None:
        return False
    buffer.unread(rest)
    before = len(client.stored)
    reply = session.mail_ended()
    assert (reply is None) == (len(client.stored) == before + 1)
    _check_reply(session.mail_stored(b"250 2.6.0 taken") if reply is None else reply)
    return True


def _check_reply(reply: bytes) -> None:
    assert _REPLY.fullmatch(reply), reply


def _check_proxy_header(data: bytes) -> None:
    parse_path(data.decode("utf-8", "surrogateescape"), "FROM")
    try:
        length = header_length(data)
        if length:
            asyncio.run(_read_header(data[:length]))
    except BadHeader:
        pass


async def _read_header(header: bytes) -> None:
    """Parse the header inside an event loop, as the receiver does.

    Otherwise the library's reader would create a loop and leave it open.
    """
    client_address(header)
