"""Deliver messages over three lifetimes of an access token, with revocation, outages and two workers.

    python -m tests.endurance.oauth2 [--messages 10000]

Two workers with data directories of their own share a ledger and the folder of the tokens, as on one machine. Servers,
ledger, TLS and tokens are real; the clock is simulated and moves with each message. Prints the figures, and ends with 1
where a message is missing, a token is asked for too often, or a secret is found where it does not belong.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import logging
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import trustme
from structlog.testing import capture_logs

from relay import config
from relay.deliver import TokenSource, Upstream
from relay.deliver.oauth2.token import JITTER, REFRESH_AT
from relay.errors import LedgerBusy
from relay.ledger import Ledger, sqlite_url
from relay.model import UpstreamKey
from relay.outbox.step import Outbox
from relay.web import Vitals, create_app
from tests.support import upstream as servers
from tests.support.authorization_server import MAILBOX, SECRET, AuthorizationServer
from tests.support.ledger_world import NOON, enqueue_digest

LIFETIME = timedelta(hours=1)
LIFETIMES = 3
REVOKED_AT = (0.4, 2.3)
"""When all access tokens are revoked, in lifetimes."""
SERVER_DOWN = (1.05, 1.45)
"""From when to when the authorisation server is down: until after the token of the first revocation has expired."""
UPSTREAM_DOWN = (2.0, 2.05)
TOLERANCE = timedelta(minutes=5)
"""How far the other worker may move the clock while one asks for a token."""
IDLE = timedelta(seconds=20)
"""How far the clock moves while nothing is due."""


@dataclass
class World:
    """The simulated time, and what was seen."""

    messages: int
    authorization: AuthorizationServer
    mail_server: servers.Upstream
    now: datetime = NOON
    revoked: list[datetime] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    """Where a secret was found."""
    failures_seen: int = 0
    """Pages, log lines and states that showed that there was no token."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def move(self, step: timedelta) -> None:
        with self.lock:
            self.now += step

    def see(self, place: str, text: str) -> None:
        """Look for secrets in a page, a log line or an error."""
        self.failures_seen += "no access token from" in text
        if _contains(text, [SECRET, *self.authorization.issued]):
            self.leaks.append(place)

    def cause_faults(self) -> None:
        """Revoke the tokens, and let the servers fail and work again, at their times."""
        with self.lock:
            age = (self.now - NOON) / LIFETIME
            if len(self.revoked) < len(REVOKED_AT) and age >= REVOKED_AT[len(self.revoked)]:
                self.authorization.revoke_access_tokens()
                self.revoked.append(self.now)
            self.authorization.stop_answering(down=SERVER_DOWN[0] <= age < SERVER_DOWN[1])
            self.mail_server.reset()
            if UPSTREAM_DOWN[0] <= age < UPSTREAM_DOWN[1]:
                self.mail_server.say("GREETING", servers.drop)


@dataclass(frozen=True)
class Result:
    """What came out of it."""

    delivered: int
    missing: int
    grants: int
    revocations: int
    lifetimes: float
    gaps_too_short: list[timedelta]
    """Times between two tokens without a revocation that are shorter than the time to a refresh."""
    leaks: list[str]
    """Where a secret was found."""
    failures_seen: int
    """Pages and states that showed a failure: the faults did happen."""

    @property
    def fine(self) -> bool:
        return not (self.missing or self.gaps_too_short or self.leaks) and self.failures_seen > 0


def run(folder: Path, messages: int) -> Result:
    """Deliver `messages` and return the result."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with contextlib.ExitStack() as stack:
        lifetime = int(LIFETIME.total_seconds())
        authorization = stack.enter_context(AuthorizationServer(lifetime=lifetime))
        certificate = authority.issue_cert("localhost")
        mail_server = servers.Upstream(security="starttls", certificate=certificate, tokens=authorization.accepts)
        stack.enter_context(mail_server)
        world = World(messages, authorization, mail_server)
        authorization.clock = lambda: world.now
        settings = [_settings(folder, name, mail_server, authorization) for name in ("one", "two")]
        url = sqlite_url(folder / "ledger.db")
        with contextlib.closing(Ledger.open(url)) as ledger:
            for number in range(messages):
                enqueue_digest(ledger, f"admin{number}@example.org", mails=1)
        logs = stack.enter_context(capture_logs())
        workers = [threading.Thread(target=_work, args=(world, url, each)) for each in settings]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for line in logs:
            world.see("the log", repr(line))
    return _result(world, authorization, mail_server, folder)


def _settings(folder: Path, name: str, server: servers.Upstream, authorization: AuthorizationServer) -> config.Settings:
    upstream = {
        "host": server.host,
        "port": server.port,
        "username": MAILBOX,
        "ca_file": folder / "ca.pem",
        "timeout": "10s",
        "ehlo_name": "relay.example.com",
        "oauth2": authorization.tables(token_dir=folder / "tokens"),
    }
    return config.make_settings(folder / name, admins=["admin@example.org"], sender=MAILBOX, upstream=upstream)


def _work(world: World, url: str, settings: config.Settings) -> None:
    """One worker: send what is due until everything is delivered. Each message takes its part of three lifetimes."""
    step = LIFETIME * LIFETIMES / world.messages
    name = settings.storage.data_dir.name
    key = UpstreamKey(worker=name, target=settings.upstream.target)
    tokens = TokenSource(settings.upstream, Path("/nonexistent"), clock=lambda: world.now)
    with contextlib.closing(Ledger.open(url, lock_timeout=timedelta(seconds=30))) as ledger:
        outbox = Outbox(ledger, Upstream(settings.upstream, tokens=tokens), settings, name, lambda: 0.0)
        pages = create_app(ledger, settings, lambda: _vitals(key), lambda: world.now).test_client()
        number = 0
        while ledger.next_try_at() is not None:
            world.cause_faults()
            number += 1
            with contextlib.suppress(LedgerBusy):
                sent = outbox.step(world.now)
                world.move(step if sent else IDLE)
                if not sent or number % (world.messages // 50 + 1) == 0:
                    for page in ("/readyz", "/", "/metrics"):
                        world.see(page, pages.get(page).get_data(as_text=True))
                    world.see("the state of the upstream", repr(ledger.upstream(key)))


def _vitals(key: UpstreamKey) -> Vitals:
    idle = {"sorting": 0.0, "delivery": 0.0}
    return Vitals(
        idle_seconds=idle, longest_delivery=10, backlog=0, receiver_seen_at=None, receiver_counters={}, upstream=key
    )


def _result(world: World, authorization: AuthorizationServer, mail_server: servers.Upstream, folder: Path) -> Result:
    ids = {mail.message_id for mail in mail_server.mails}
    earliest = LIFETIME * (REFRESH_AT - JITTER) - TOLERANCE
    grants = authorization.granted_at
    gaps = [
        later - earlier
        for earlier, later in pairwise(grants)
        if later - earlier < earliest and not any(earlier <= at <= later for at in world.revoked)
    ]
    secrets = [SECRET, *authorization.issued]
    return Result(
        delivered=len(ids),
        missing=world.messages - len(ids),
        grants=len(grants),
        revocations=len(world.revoked),
        lifetimes=(world.now - NOON) / LIFETIME,
        gaps_too_short=gaps,
        leaks=world.leaks + [place for place, text in _files(folder).items() if _contains(text, secrets)],
        failures_seen=world.failures_seen,
    )


def _files(folder: Path) -> Mapping[str, str]:
    """Return every file except the stored tokens, which must have mode 0600 and hold no secret of the settings."""
    found = {}
    for file in folder.rglob("*"):
        if not file.is_file():
            continue
        text = file.read_bytes().decode("latin-1")
        stored = file.parent.name == "tokens" and file.stat().st_mode & 0o777 == 0o600 and SECRET not in text
        if not stored:
            found[str(file.relative_to(folder))] = text
    return found


def _contains(text: str, secrets: list[str]) -> bool:
    """Return whether a secret is in the text, as it is or in base64 at any alignment."""
    return any(form in text for secret in secrets for form in _forms(secret))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + secret.encode()).decode()
        yield encoded[4 if shift else 0 : -4]


def main(arguments: list[str] | None = None) -> int:
    """Run it and print the figures; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.oauth2", description="deliver with access tokens")
    parser.add_argument("--messages", type=int, default=10_000)
    options = parser.parse_args(arguments)
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's warnings
    began = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        result: Any = run(Path(folder), options.messages)
    print(f"{(datetime.now(UTC) - began).total_seconds():.0f} s; {result}")
    return 0 if result.fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
