"""Real servers on port 0 of 127.0.0.1 for the handler to meet: one that works as a relay does, one that misbehaves."""

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

PATIENCE = 20.0
"""Seconds until a test gives up on what must happen; never how long it takes when all is well."""


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A mail that got its 250, or an answer of the test's choice."""

    content: bytes
    envelope: Envelope
    connection: object
    """The other end's address: the same for all mails of a connection."""
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
    def enclosed(self) -> Any:
        """What the JSON part says."""
        [part] = self.message.iter_attachments()
        assert part.get_content_type() == "application/vnd.error-mail+json"
        return json.loads(part.get_content())


class Sink:
    """An SMTP server that keeps what it takes; it can be stopped in the midst of things and started on its old port."""

    def __init__(self, answer: Callable[[Taken], str] | None = None, *, host: str = "127.0.0.1", **options) -> None:
        self.tried: list[Taken] = []
        """Every mail that came as far as its final dot."""
        self.mails: list[Taken] = []
        """Those answered with 250."""
        self.host, self.port = host, 0
        self._answer = answer or (lambda _mail: "250 OK")
        self._options = options
        self.connections: dict[SMTP, asyncio.Transport] = {}
        """Those that are open."""
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def mailhost(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def occurrences(self) -> int:
        return sum(mail.count for mail in self.mails)

    def wait_for(self, number: int) -> list[Taken]:
        wait_until(lambda: len(self.mails) >= number)
        return self.mails

    def start(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE)
        return self

    def stop(self) -> None:
        """Cut all connections and be gone."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(PATIENCE)
            self._loop = None

    async def take(self, session: Session, envelope: Envelope) -> str:
        user = getattr(session.auth_data, "login", None)
        content = envelope.original_content or b""
        mail = Taken(content=content, envelope=envelope, connection=session.peer, user=user)
        self.tried.append(mail)
        answer = await asyncio.to_thread(self._answer, mail)
        if answer.startswith("250"):
            self.mails.append(mail)
        return answer

    def _run(self, ready: threading.Event) -> None:
        # `select` can be closed again and again without a word; a child of a fork shares nothing with it.
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
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
        for _ in range(10):  # turns of the loop in which a connection just accepted gets as far as `connections`
            await asyncio.sleep(0)
        while self.connections:
            for transport in list(self.connections.values()):
                transport.abort()
            await asyncio.sleep(0)


class _Hooks:
    """What aiosmtpd calls; apart from `Sink`, because it looks at every attribute for each connection."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        return await self.sink.take(session, envelope)


class _Server(SMTP):
    def connection_made(self, transport) -> None:
        self.event_handler.sink.connections[self] = transport
        super().connection_made(transport)

    def connection_lost(self, error) -> None:
        self.event_handler.sink.connections.pop(self, None)
        super().connection_lost(error)


class Unruly:
    """A TCP server whose behaviour is a function of the connection's file; one connection at a time is enough."""

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
        self._thread.join(PATIENCE)


def converse(connection: socket.socket, *replies: bytes) -> Iterator[bytes]:
    """Greet with the first reply, then give one reply to each line that comes; yields these lines."""
    lines = connection.makefile("rb")
    connection.sendall(replies[0])
    for reply in replies[1:]:
        yield lines.readline()
        connection.sendall(reply)


def take_mail_and(connection: socket.socket, finish: Callable[[bytes], None]) -> None:
    """A whole conversation up to the final dot; `finish` gets the mail's bytes and decides how it ends."""
    for _line in converse(connection, b"220 x\r\n", b"250 x\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"):
        pass
    lines = connection.makefile("rb")
    content = b"".join(iter(lines.readline, b".\r\n"))
    finish(content)


def closed_port() -> int:
    """A port of 127.0.0.1 where nobody listens: it is bound, and stays so for as long as the process lives."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    _holders.append(holder)
    return holder.getsockname()[1]


_holders: list[socket.socket] = []


def accept_login(_server, _session, _envelope, _mechanism, data) -> AuthResult:
    right = data.login == b"app" and data.password == b"the-password"
    return AuthResult(success=right, handled=right, auth_data=data)


def hang(connection: socket.socket) -> None:
    """Behaviour of a server that accepts and never answers."""
    connection.recv(1)


def texts(sink: Sink) -> list[str]:
    """The texts of all mails that came, sorted."""
    return sorted(mail.text.strip() for mail in sink.mails)
