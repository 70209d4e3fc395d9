"""Kills at random moments under load, with an upstream that comes and goes: every mail that got 250 is told once."""

from __future__ import annotations

import random
import secrets
import smtplib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.e2e.digests import told
from tests.e2e.processes import Relay, wait_for
from tests.upstream import Upstream

pytestmark = pytest.mark.e2e

KILLS = 36
ROLES = ("receiver", "worker", "supervisor")
PLACES = ("alpha", "bravo", "charlie", "delta")


@dataclass
class Sender:
    """Sends mails about one error as fast as it is let, and keeps its own books."""

    relay: Relay
    place: str
    repeats: bool
    """Like our client: each mail has a record id and is sent again until it gets its 250."""
    accepted: set[str] = field(default_factory=set)
    """The mails that got 250, each once however often it was sent."""
    unknown: int = 0
    """Mails without an answer, which may have been taken; a sender that repeats has none."""
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            record_id = secrets.token_hex(16)
            while not self._try(record_id) and self.repeats:
                time.sleep(0.02)

    def _try(self, record_id: str) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self.relay.smtp_port, timeout=20) as client:
                client.ehlo("app")
                try:
                    client.sendmail("app@example.com", ["yourname@example.com"], self._mail(record_id))
                except (OSError, smtplib.SMTPException) as error:
                    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 400:
                        return False
                    self.unknown += 0 if self.repeats else 1
                    return False
                self.accepted.add(record_id)
        except (OSError, smtplib.SMTPException):
            pass  # at the greeting, or at QUIT when all was done
        return record_id in self.accepted

    def _mail(self, record_id: str) -> bytes:
        head = f"X-Error-Mail-Client: 1\r\nX-Error-Mail-Record: {record_id}\r\n" if self.repeats else ""
        return (
            f"From: app@example.com\r\nSubject: App Failed\r\n{head}\r\n"
            f"Message type:       ERROR\r\nLocation:           /srv/app/{self.place}.py:7\r\n"
            f"Module:             {self.place}\r\nFunction:           {self.place}\r\n"
            f"Time:               2026-01-01 00:00:00,000\r\n\r\nMessage:\r\n\r\n{self.place} does not answer\r\n"
        ).encode()


def test_every_mail_that_got_250_is_told_once_whatever_is_killed(make_relay: Callable[..., Relay], upstream: Upstream):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    relay = make_relay().start()
    senders = [Sender(relay, place, repeats=index % 2 == 0) for index, place in enumerate(PLACES)]
    threads = [threading.Thread(target=sender.run) for sender in senders]
    for thread in threads:
        thread.start()
    killed = dict.fromkeys(ROLES, 0)
    for number in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.8))
        role = ROLES[number % 3]
        relay.kill(role)
        killed[role] += 1
        if role == "supervisor":
            relay.start()
        if number % 9 == 4:
            upstream.stop()
        if number % 9 == 7:
            upstream.start()
    upstream.start() if upstream._thread is None else None
    for sender in senders:
        sender.stop.set()
    for thread in threads:
        thread.join()
    wait_for(lambda: _settled(relay), "everything to be told", 120)
    status = relay.status()
    relay.stop()

    counts = told(upstream.mails)
    by_place = {place: sum(n for title, n in counts.items() if place in title) for place in PLACES}
    print(killed, by_place, [(sender.place, len(sender.accepted), sender.unknown) for sender in senders])
    assert sum(killed.values()) >= 30
    assert all(len(sender.accepted) > 20 for sender in senders)
    for sender in senders:
        certain = len(sender.accepted)
        assert certain <= by_place[sender.place] <= certain + sender.unknown
    assert status["balanced"]
    assert (status["parked"], status["undelivered"]) == (0, 0)


def _settled(relay: Relay) -> bool:
    status = relay.status()
    return status["pending"] == 0 and status["spooled_unsorted"] == 0 and status["letters_open"] == 0
