"""Different clients at once, for the soak: normal, slow and aborting ones. Each records what it sent."""

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


class LargeMailSender(Sender):
    """An app whose mails have 20 KB to 2 MB."""

    def mail(self, record_id: str) -> bytes:
        """Return one of its mails."""
        lines = random.Random(record_id).choice((200, 3_000, 20_000))
        return super().mail(record_id) + b"x" * 98 + b"\r\n" + (b"y" * 98 + b"\r\n") * lines


class StarttlsSender(Sender):
    """An app that sends with STARTTLS."""

    def _connect(self, _: str = "") -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=str(self.relay.folder / "ca.pem"))
        client = super()._connect("localhost")  # the name in the certificate
        client.starttls(context=context)
        client.ehlo("app")
        return client


class PersistentSender(Sender):
    """An app that keeps its connection as long as possible."""

    def run(self) -> None:
        """Send until `stop` is set, on one connection after the other."""
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
class HandlerClient:
    """An app with our client's handler: everything it logs is reported, in one mail or in several."""

    relay: Relay
    place: str
    pause: float
    accepted: set[str] = field(default_factory=set)
    unknown: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Log until `stop` is set, then wait until everything is delivered."""
        handler = ErrorMailHandler(
            ("127.0.0.1", self.relay.smtp_port), "app@example.com", ["you@example.com"], "App Failed", exit_timeout=60
        )
        handler.setFormatter(logging.Formatter(MAIL_FORMAT))
        number = 0
        while not self.stop.wait(self.pause):
            number += 1
            message = f"{self.place} does not answer"
            handler.handle(logging.LogRecord("app", logging.ERROR, f"/srv/{self.place}.py", 7, message, None, None))
        handler.close()
        self.accepted = {str(each) for each in range(number - handler.dropped - handler.pending)}


@dataclass
class AbortingClients:
    """Clients that disconnect in the middle of a mail, or without waiting for its reply."""

    relay: Relay
    place: str
    pause: float
    accepted: set[str] = field(default_factory=set)
    """Always empty: these clients wait for no reply."""
    unknown: int = 0
    aborted: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Connect and disconnect until `stop` is set."""
        whole = ENVELOPE + Sender(self.relay, self.place, repeats=False).mail("") + b".\r\n"
        while not self.stop.wait(self.pause):
            complete = random.random() < 0.2
            data = whole if complete else whole[: random.randrange(len(whole) - 5)]
            with contextlib.suppress(OSError), _connected(self.relay) as client:
                self.unknown += complete
                client.sendall(data)
                if random.random() < 0.5:  # reset the connection instead of closing it
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.aborted += 1


@dataclass
class SlowClients:
    """Clients that send a byte now and then, in every state, until they are disconnected."""

    relay: Relay
    pause: float = 0.25
    clients: int = 20
    longest: float = 0.0
    """Longest time in seconds that one of them stayed connected."""
    ended: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Trickle bytes until `stop` is set."""
        present: dict[socket.socket, float] = {}
        while not self.stop.wait(self.pause):
            for client in list(present):
                if not _still_connected(client):
                    self.longest = max(self.longest, time.monotonic() - present.pop(client))
                    self.ended += 1
                    client.close()
            with contextlib.suppress(OSError):
                while len(present) < self.clients:
                    client = self._connect_partly()
                    present[client] = time.monotonic()
        for client in present:
            client.close()

    def _connect_partly(self) -> socket.socket:
        lines = ENVELOPE.splitlines(keepends=True)
        client = _connected(self.relay)
        for line in lines[: random.randrange(len(lines) + 1)]:
            client.sendall(line)
        client.setblocking(False)
        return client


def _still_connected(client: socket.socket) -> bool:
    """Send a byte; return whether the relay still keeps the connection."""
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
class MixedClients:
    """All clients: those whose mails are counted, and those that only disturb."""

    counted: list[Sender | HandlerClient | AbortingClients]
    slow: SlowClients
    aborting: AbortingClients

    def __iter__(self) -> Iterator[Sender | HandlerClient | AbortingClients | SlowClients]:
        yield from self.counted
        yield self.slow


def mixed_clients(relay: Relay) -> MixedClients:
    """Return one client of each kind: together about 150 mails a second if the machine is fast enough."""
    aborting = AbortingClients(relay, "india", pause=0.1)
    counted: list[Sender | HandlerClient | AbortingClients] = [
        Sender(relay, "alpha", repeats=False, pause=0.03),
        Sender(relay, "bravo", repeats=True, pause=0.03),
        PersistentSender(relay, "echo", repeats=False, pause=0.02),
        LargeMailSender(relay, "foxtrot", repeats=False, pause=0.3),
        StarttlsSender(relay, "golf", repeats=False, pause=0.1),
        HandlerClient(relay, "hotel", pause=0.05),
        aborting,
    ]
    return MixedClients(counted=counted, slow=SlowClients(relay), aborting=aborting)


def certificate_settings(folder: Path) -> dict[str, str]:
    """Create a certificate in `folder` and return the settings that name it; its CA is in `ca.pem` there."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate = authority_in(folder).issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "receiver.pem")
    return {"tls_cert": str(folder / "receiver.pem")}
