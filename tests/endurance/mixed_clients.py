"""All sorts of clients at once, for a soak: some behave, some are slow, some leave; each keeps its own books."""

from __future__ import annotations

import contextlib
import logging
import random
import smtplib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app_client import MAIL_FORMAT, ErrorMailHandler
from tests.support.processes import Relay
from tests.support.senders import Sender
from tests.support.upstream import authority_in

ENVELOPE = b"EHLO app\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<you@example.com>\r\nDATA\r\n"


class Large(Sender):
    """An app whose mails have 20 KB to 2 MB."""

    def mail(self, record_id: str) -> bytes:
        """One of its mails."""
        lines = random.Random(record_id).choice((200, 3_000, 20_000))
        return super().mail(record_id) + b"x" * 98 + b"\r\n" + (b"y" * 98 + b"\r\n") * lines


class Secured(Sender):
    """An app that sends under STARTTLS."""

    def _connect(self, _: str = "") -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=str(self.relay.folder / "ca.pem"))
        client = super()._connect("localhost")  # the name in the certificate
        client.starttls(context=context)
        client.ehlo("app")
        return client


class Steady(Sender):
    """An app that keeps its connection for as long as it holds."""

    def run(self) -> None:
        """Send until told to stop, over one connection after the other."""
        while not self.stop.is_set():
            with contextlib.suppress(OSError, smtplib.SMTPException), self._connect() as client:
                self._send_on(client)

    def _send_on(self, client: smtplib.SMTP) -> None:
        for number in iter(int, None):
            if self.stop.wait(self.pause):
                return
            record = f"{id(client)}-{len(self.accepted)}-{number}-{time.monotonic_ns()}"
            try:
                client.sendmail("app@example.com", ["you@example.com"], self.mail(record))
            except smtplib.SMTPResponseException:
                return
            except (OSError, smtplib.SMTPException):
                self.unknown += 1
                raise
            self.accepted.add(record)


@dataclass
class Handled:
    """An app with our client's handler: what it logs is told, be it in one mail or in many."""

    relay: Relay
    place: str
    pause: float
    accepted: set[str] = field(default_factory=set)
    unknown: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Log until told to stop, then wait until all is delivered."""
        handler = ErrorMailHandler(
            ("127.0.0.1", self.relay.smtp_port), "app@example.com", ["you@example.com"], "App Failed", exit_timeout=60
        )
        handler.setFormatter(logging.Formatter(MAIL_FORMAT))
        number = 0
        while not self.stop.wait(self.pause):
            number += 1
            words = f"{self.place} does not answer"
            handler.handle(logging.LogRecord("app", logging.ERROR, f"/srv/{self.place}.py", 7, words, None, None))
        handler.close()
        self.accepted = {str(each) for each in range(number - handler.dropped - handler.pending)}


@dataclass
class Leaving:
    """Clients that go in the middle of a mail, or without waiting for the answer to it."""

    relay: Relay
    place: str
    pause: float
    accepted: set[str] = field(default_factory=set)
    """Always empty: it waits for no answer."""
    unknown: int = 0
    left: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Come and go until told to stop."""
        whole = ENVELOPE + Sender(self.relay, self.place, repeats=False).mail("") + b".\r\n"
        while not self.stop.wait(self.pause):
            complete = random.random() < 0.2
            said = whole if complete else whole[: random.randrange(len(whole) - 5)]
            with contextlib.suppress(OSError), _connected(self.relay) as client:
                self.unknown += complete
                client.sendall(said)
                if random.random() < 0.5:  # a reset instead of an end
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.left += 1


@dataclass
class Slow:
    """Clients that say a byte now and then, in every state, for as long as they are let."""

    relay: Relay
    pause: float = 0.25
    clients: int = 20
    longest: float = 0.0
    """Seconds that one of them was suffered, counted from its last progress."""
    ended: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Trickle until told to stop."""
        present: dict[socket.socket, float] = {}
        while not self.stop.wait(self.pause):
            for client in list(present):
                if not _suffered(client):
                    self.longest = max(self.longest, time.monotonic() - present.pop(client))
                    self.ended += 1
                    client.close()
            with contextlib.suppress(OSError):
                while len(present) < self.clients:
                    client = self._come()
                    present[client] = time.monotonic()
        for client in present:
            client.close()

    def _come(self) -> socket.socket:
        lines = ENVELOPE.splitlines(keepends=True)
        client = _connected(self.relay)
        for line in lines[: random.randrange(len(lines) + 1)]:
            client.sendall(line)
        client.setblocking(False)
        return client


def _suffered(client: socket.socket) -> bool:
    """Say a byte; return whether the relay still listens."""
    try:
        client.send(b"x")
        while more := client.recv(4096):
            if more.startswith(b"421"):
                return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _connected(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=20)


@dataclass(kw_only=True)
class Mixed:
    """Everybody: those whose mails are counted, and those who only disturb."""

    counted: list[Sender | Handled | Leaving]
    slow: Slow
    leaving: Leaving

    def __iter__(self) -> Iterator[Sender | Handled | Leaving | Slow]:
        yield from self.counted
        yield self.slow


def mixed(relay: Relay) -> Mixed:
    """One of each kind: together some 150 mails a second where the machine keeps up."""
    leaving = Leaving(relay, "india", pause=0.1)
    counted: list[Sender | Handled | Leaving] = [
        Sender(relay, "alpha", repeats=False, pause=0.03),
        Sender(relay, "bravo", repeats=True, pause=0.03),
        Steady(relay, "echo", repeats=False, pause=0.02),
        Large(relay, "foxtrot", repeats=False, pause=0.3),
        Secured(relay, "golf", repeats=False, pause=0.1),
        Handled(relay, "hotel", pause=0.05),
        leaving,
    ]
    return Mixed(counted=counted, slow=Slow(relay), leaving=leaving)


def certified(folder: Path) -> dict[str, str]:
    """A certificate for the relay in `folder`, as the settings that name it; its authority is `ca.pem` there."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate = authority_in(folder).issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "receiver.pem")
    return {"tls_cert": str(folder / "receiver.pem")}
