"""Apps that send error mails as fast as the relay accepts them, each about one error, and count what was accepted."""

from __future__ import annotations

import secrets
import smtplib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tests.support.processes import Relay

PLACES = ("alpha", "bravo", "charlie", "delta")


@dataclass
class Sender:
    """One app; all its errors have the same location."""

    relay: Relay
    place: str
    repeats: bool
    """As `app_client` does: each mail has a record id and is sent again until it gets 250. Otherwise: one try."""
    pause: float = 0.0
    """Seconds between two mails."""
    accepted: set[str] = field(default_factory=set)
    """Record ids of the mails that got 250."""
    unknown: int = 0
    """Mails without a reply, which the relay may have accepted; 0 for a sender that repeats."""
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.wait(self.pause):
            record_id = secrets.token_hex(16)
            while not self._try(record_id) and self.repeats:
                time.sleep(0.02)

    def _try(self, record_id: str) -> bool:
        try:
            with self._connect() as client:
                try:
                    client.sendmail("app@example.com", ["yourname@example.com"], self.mail(record_id))
                except (OSError, smtplib.SMTPException) as error:
                    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 400:
                        return False
                    self.unknown += 0 if self.repeats else 1
                    return False
                self.accepted.add(record_id)
        except (OSError, smtplib.SMTPException):
            pass  # at the greeting, or at QUIT after the mail was accepted
        return record_id in self.accepted

    def _connect(self, host: str = "127.0.0.1") -> smtplib.SMTP:
        client = smtplib.SMTP(host, self.relay.smtp_port, timeout=20)
        client.ehlo("app")
        return client

    def mail(self, record_id: str) -> bytes:
        """Return one mail of this app."""
        head = f"X-Error-Mail-Client: 1\r\nX-Error-Mail-Record: {record_id}\r\n" if self.repeats else ""
        return (
            f"From: app@example.com\r\nSubject: App Failed\r\n{head}\r\n"
            f"Message type:       ERROR\r\nLocation:           /srv/app/{self.place}.py:7\r\n"
            f"Module:             {self.place}\r\nFunction:           {self.place}\r\n"
            f"Time:               2026-01-01 00:00:00,000\r\n\r\nMessage:\r\n\r\n{self.place} does not answer\r\n"
        ).encode()


@contextmanager
def sending(relay: Relay, *, pause: float = 0.0) -> Iterator[list[Sender]]:
    """Run four apps: two try once, as the stock handler does, and two repeat, as `app_client` does."""
    senders = [Sender(relay, place, repeats=index % 2 == 0, pause=pause) for index, place in enumerate(PLACES)]
    with running(senders):
        yield senders


class App(Protocol):
    """A client that talks to the relay until `stop` is set."""

    stop: threading.Event

    def run(self) -> None:
        """Talk to the relay until `stop` is set."""


@contextmanager
def running(apps: Sequence[App]) -> Iterator[None]:
    """Run each app in a thread of its own; at the end stop all of them and wait for them."""
    threads = [threading.Thread(target=app.run) for app in apps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for app in apps:
            app.stop.set()
        for thread in threads:
            thread.join()
