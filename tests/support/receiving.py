"""A real receiver with a real spool on a free port, in its own thread; and a raw SMTP client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import uvloop

from relay.model import Record
from relay.receive import Access, Limits, Receiver
from relay.spool import SpoolReader, SpoolWriter


def listening() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(1024)
    return sock


class RawClient:
    """An SMTP client that sends exactly the given bytes."""

    def __init__(self, port: int, *, receive_buffer: int | None = None, address: str = "") -> None:
        """`address`: the source address, any of 127.0.0.0/8."""
        self.socket = socket.socket()
        if address:
            self.socket.bind((address, 0))
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """Return the next line as received, b"" if the connection was closed."""
        try:
            return self._file.readline()
        except ConnectionError:
            return b""

    def reply(self) -> list[str]:
        """Return the lines of the next reply without line ends, [] if the connection was closed."""
        lines: list[str] = []
        while line := self.line():
            assert line.endswith(b"\r\n"), line
            lines.append(line[:-2].decode())
            if line[3:4] == b" ":
                break
        return lines

    def code(self) -> str:
        """Return code and enhanced code of the next reply, "" if the connection was closed."""
        lines = self.reply()
        if not lines:
            return ""
        code, enhanced = lines[-1].split(" ")[:2]
        return f"{code} {enhanced}" if enhanced[:2] == f"{code[0]}." else code

    def say(self, line: bytes) -> str:
        """Send one command and return the code of its reply."""
        self.send(line + b"\r\n")
        return self.code()

    def greet(self) -> RawClient:
        assert self.code() == "220"
        return self.ehlo()

    def ehlo(self) -> RawClient:
        assert self.say(b"EHLO client.example") == "250"
        return self

    def begin_data(self) -> RawClient:
        """Send MAIL, RCPT and DATA."""
        assert self.say(b"MAIL FROM:<app@example.com>") == "250 2.1.0"
        assert self.say(b"RCPT TO:<admin@example.com>") == "250 2.1.5"
        assert self.say(b"DATA") == "354"
        return self

    def mail(self, content: bytes) -> str:
        """Send a mail and return the code of the reply. `content` needs no dot-stuffing and ends in CRLF."""
        self.begin_data()
        return self.say(content + b".")

    def ended(self) -> bool:
        """True if the server closes the connection without another reply."""
        return self.line() == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class RunningReceiver:
    """A receiver that runs in its own thread."""

    def __init__(
        self, folder: Path, limits: Limits, access: Access, wrap: Callable[[SpoolWriter], Any], tls_first: bool
    ) -> None:
        self.folder = folder
        self._limits = limits
        self._access = access
        self._tls_first = tls_first
        self._wrap = wrap
        self._socket = listening()
        self.port: int = self._socket.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self.receiver: Receiver

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        writer = SpoolWriter.open(self.folder)
        self.receiver = Receiver(self._wrap(writer), self._limits, self._access)
        sockets = [self._socket]
        await self.receiver.start([], sockets) if self._tls_first else await self.receiver.start(sockets)
        self._ready.set()
        await self._stop.wait()
        await self.receiver.stop()
        await writer.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        self._clients: list[RawClient] = []
        return self

    def __exit__(self, *_: object) -> None:
        self.ask_to_stop()
        self.join()
        for client in self._clients:
            client.close()

    def ask_to_stop(self) -> None:
        """Request a stop, as SIGTERM does."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    def connect(self, *, receive_buffer: int | None = None) -> RawClient:
        """Return a new client; it is closed with the receiver."""
        client = RawClient(self.port, receive_buffer=receive_buffer)
        self._clients.append(client)
        return client

    def records(self) -> list[Record]:
        """Return all mails in the spool."""
        reader = SpoolReader(self.folder)
        try:
            found: list[Record] = []
            while more := reader.read(found[-1].end if found else 0):
                found += more
            assert reader.damage == {}
            return found
        finally:
            reader.close()

    def contents(self) -> list[bytes]:
        return [record.content for record in self.records()]


@contextlib.contextmanager
def receiving(
    folder: Path,
    limits: Limits | None = None,
    access: Access | None = None,
    *,
    wrap: Callable[[SpoolWriter], Any] = lambda writer: writer,
    tls_first: bool = False,
) -> Iterator[RunningReceiver]:
    """Run a receiver with its spool in `folder`; `wrap` may put an object between it and the spool."""
    with RunningReceiver(folder, limits or Limits(stop_within=0.2), access or Access(), wrap, tls_first) as running:
        yield running
