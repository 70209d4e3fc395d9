"""Apps that send mails about one error each as fast as they are let, and keep their own books."""

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
    """One app; every error of it is at the same place."""

    relay: Relay
    place: str
    repeats: bool
    """Like our client: each mail has a record id and is sent again until it gets its 250."""
    pause: float = 0.0
    """Seconds between two mails."""
    accepted: set[str] = field(default_factory=set)
    """The mails that got 250, each once however often it was sent."""
    unknown: int = 0
    """Mails without an answer, which may have been taken; a sender that repeats has none."""
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
            pass  # at the greeting, or at QUIT when all was done
        return record_id in self.accepted

    def _connect(self, host: str = "127.0.0.1") -> smtplib.SMTP:
        client = smtplib.SMTP(host, self.relay.smtp_port, timeout=20)
        client.ehlo("app")
        return client

    def mail(self, record_id: str) -> bytes:
        """One of its mails."""
        head = f"X-Error-Mail-Client: 1\r\nX-Error-Mail-Record: {record_id}\r\n" if self.repeats else ""
        return (
            f"From: app@example.com\r\nSubject: App Failed\r\n{head}\r\n"
            f"Message type:       ERROR\r\nLocation:           /srv/app/{self.place}.py:7\r\n"
            f"Module:             {self.place}\r\nFunction:           {self.place}\r\n"
            f"Time:               2026-01-01 00:00:00,000\r\n\r\nMessage:\r\n\r\n{self.place} does not answer\r\n"
        ).encode()


@contextmanager
def sending(relay: Relay, *, pause: float = 0.0) -> Iterator[list[Sender]]:
    """Four apps at work: two with the stock handler, which tries once, and two with our client's way."""
    senders = [Sender(relay, place, repeats=index % 2 == 0, pause=pause) for index, place in enumerate(PLACES)]
    with working(senders):
        yield senders


class App(Protocol):
    """Whatever talks to the relay until it is told to stop."""

    stop: threading.Event

    def run(self) -> None:
        """Do so."""


@contextmanager
def working(apps: Sequence[App]) -> Iterator[None]:
    """Each at work in a thread of its own; at the end all are told to stop and waited for."""
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
