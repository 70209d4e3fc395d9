"""Real SMTP servers on port 0 of 127.0.0.1: one that works like a relay, and one that misbehaves."""

import asyncio
import contextlib
import email
import email.policy
import functools
import json
import selectors
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from relay import SMTP_KEYWORD

TIMEOUT = 20.0
"""Seconds until a test fails that waits for an event. A test that passes does not wait this long."""


def wait_until(condition: Callable[[], object], seconds: float = TIMEOUT) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """A mail that the server received, with any reply."""

    content: bytes
    envelope: Envelope
    connection: object
    """The address of the client: the same for all mails of one connection."""
    user: bytes | None

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)

    @property
    def record_id(self) -> str:
        return self.message["X-Error-Mail-Record"]

    @property
    def count(self) -> int:
        return int(self.message["X-Error-Mail-Count"])

    @property
    def dropped(self) -> int:
        return int(self.message["X-Error-Mail-Dropped"] or 0)

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        text = str(body.get_content()).replace("\r\n", "\n")
        return text if body["Content-Transfer-Encoding"] == "base64" else text.removesuffix("\n") + "\n"

    @property
    def json_part(self) -> Any:
        """The content of the JSON part."""
        [part] = self.message.iter_attachments()
        assert part.get_content_type() == "application/vnd.error-mail+json"
        return json.loads(part.get_content())


class Sink:
    """An SMTP server that collects mails. It can be stopped at any time and restarted on the same port."""

    def __init__(
        self,
        answer: Callable[[ReceivedMail], str] | None = None,
        *,
        host: str = "127.0.0.1",
        keywords: Sequence[str] = (SMTP_KEYWORD,),
        **options,
    ) -> None:
        """Answer each mail with `answer`; announce `keywords` in the reply to EHLO, by default that of the relay."""
        self.keywords = tuple(keywords)
        self.attempted: list[ReceivedMail] = []
        """All mails that were received up to the final dot."""
        self.mails: list[ReceivedMail] = []
        """The mails that were answered with 250."""
        self.host, self.port = host, 0
        self._answer = answer or (lambda _mail: "250 OK")
        self._options = options
        self.connections: dict[SMTP, asyncio.Transport] = {}
        """The open connections."""
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def mailhost(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def occurrences(self) -> int:
        return sum(mail.count for mail in self.mails)

    def wait_for(self, number: int) -> list[ReceivedMail]:
        wait_until(lambda: len(self.mails) >= number)
        return self.mails

    def start(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(TIMEOUT)
        return self

    def stop(self) -> None:
        """Abort all connections and stop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(TIMEOUT)
            self._loop = None

    async def receive(self, session: Session, envelope: Envelope) -> str:
        user = getattr(session.auth_data, "login", None)
        content = envelope.original_content or b""
        mail = ReceivedMail(content=content, envelope=envelope, connection=session.peer, user=user)
        self.attempted.append(mail)
        answer = await asyncio.to_thread(self._answer, mail)
        if answer.startswith("250"):
            self.mails.append(mail)
        return answer

    def _run(self, ready: threading.Event) -> None:
        # Unlike epoll, poll shares no state with a forked child; unlike select, it takes descriptors above 1,023.
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.PollSelector())) as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        factory = functools.partial(_Server, _Hooks(self), hostname="sink.test", loop=self._loop, **self._options)
        server = await self._loop.create_server(factory, self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        server.close()
        for _ in range(10):  # iterations of the loop until a connection just accepted is in `connections`
            await asyncio.sleep(0)
        while self.connections:
            for transport in list(self.connections.values()):
                transport.abort()
            await asyncio.sleep(0)


class _Hooks:
    """The hooks for aiosmtpd. Separate from `Sink`, because aiosmtpd inspects all attributes for each connection."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    async def handle_EHLO(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{each}" for each in self.sink.keywords), responses[-1]]

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the name that aiosmtpd calls
        return await self.sink.receive(session, envelope)


class _Server(SMTP):
    def connection_made(self, transport) -> None:
        self.event_handler.sink.connections[self] = transport
        super().connection_made(transport)

    def connection_lost(self, error) -> None:
        self.event_handler.sink.connections.pop(self, None)
        super().connection_lost(error)


class MisbehavingServer:
    """A TCP server that handles each connection with the given function."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self.connections = 0
        unruly = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                unruly.connections += 1
                with contextlib.suppress(OSError):
                    behave(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.mailhost: tuple[str, int] = self._server.socket.getsockname()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(TIMEOUT)


def answer_lines(connection: socket.socket, *replies: bytes) -> Iterator[bytes]:
    """Send the first reply as greeting, then one reply for each received line; yields these lines."""
    lines = connection.makefile("rb")
    connection.sendall(replies[0])
    for reply in replies[1:]:
        yield lines.readline()
        connection.sendall(reply)


def receive_mail_then(connection: socket.socket, finish: Callable[[bytes], None]) -> None:
    """Run a whole SMTP session up to the final dot; `finish` gets the content of the mail and ends the session."""
    for _line in answer_lines(connection, b"220 x\r\n", b"250 x\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"):
        pass
    lines = connection.makefile("rb")
    content = b"".join(iter(lines.readline, b".\r\n"))
    finish(content)


def closed_port() -> int:
    """Return a port of 127.0.0.1 where nothing listens. It stays bound until the process ends."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    _holders.append(holder)
    return holder.getsockname()[1]


_holders: list[socket.socket] = []


def accept_login(_server, _session, _envelope, _mechanism, data) -> AuthResult:
    right = data.login == b"app" and data.password == b"the-password"
    return AuthResult(success=right, handled=right, auth_data=data)


def hang(connection: socket.socket) -> None:
    """Accept the connection and never answer."""
    connection.recv(1)


def texts(sink: Sink) -> list[str]:
    """Return the sorted texts of all mails."""
    return sorted(mail.text.strip() for mail in sink.mails)
