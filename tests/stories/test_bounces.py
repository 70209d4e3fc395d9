"""Digests that bounce: the bounces come back through the relay, and make no digest about themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from relay.compose.render import Renderer
from relay.digest import Digests
from relay.ledger import Ledger, sqlite_url
from relay.model import Attempt, RecipientReply, Verdict
from relay.outbox.advice import describe_bounces
from relay.outbox.step import Outbox
from tests.support.ingest_bench import NOW, IngestBench, mail

RECIPIENTS = tuple(f"admin{number}@example.com" for number in range(10))
MINUTE = timedelta(minutes=1)
REPORT = """From: MAILER-DAEMON@mx.example.com
To: relay@example.com
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="B"
Auto-Submitted: auto-replied

--B
Content-Type: text/plain

<{recipient}>: host mail.example.com[192.0.2.1] said: 550 5.1.1 User unknown

--B
Content-Type: message/delivery-status

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--B
Content-Type: message/rfc822

{original}
--B--
"""


class BouncingUpstream:
    """A `deliver.Target` that accepts everything; what it accepts for `unknown` recipients bounces later."""

    max_duration = MINUTE

    def __init__(self, unknown: Sequence[str]) -> None:
        self.unknown = unknown
        self.accepted: list[bytes] = []
        self.bounces: list[bytes] = []

    def deliver(
        self, raw: bytes, *, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Attempt:
        """Accept the mail."""
        before_data()
        self.accepted.append(raw)
        original = raw.decode().replace("\r\n", "\n")
        for recipient in recipients:
            if recipient in self.unknown:
                report = REPORT.format(recipient=recipient, original=original)
                self.bounces.append(report.replace("\n", "\r\n").encode())
        reply = RecipientReply(verdict=Verdict.ACCEPTED, code=250, text="queued", step="DOT")
        return Attempt(replies=dict.fromkeys(recipients, reply))

    def abort(self) -> None:
        """Nothing to abort."""


class World:
    """A relay whose upstream returns bounces to it."""

    def __init__(self, folder: Path, unknown: Sequence[str]) -> None:
        self.ledger = Ledger.open(sqlite_url(folder / "ledger.db"))
        self.bench = IngestBench(folder, self.ledger, admins=RECIPIENTS, sender="relay@example.com")
        settings = self.bench.settings
        renderer = Renderer(None, limits=settings.digest, zone=settings.time.tz, sender="relay@example.com")
        self.digests = Digests(self.ledger, renderer, settings, "one")
        self.upstream = BouncingUpstream(unknown)
        self.outbox = Outbox(self.ledger, self.upstream, settings, "one", lambda: 0.0)
        self.now = NOW

    def run(self, span: timedelta) -> None:
        """Run for some time, minute by minute. Bounces come back a minute after their mail."""
        end = self.now + span
        while self.now < end:
            coming, self.upstream.bounces = self.upstream.bounces, []
            if coming:
                self.bench.spool(coming, self.now)
            self.bench.ingest_all(self.now)
            while self.digests.step(self.now, caught_up=True) or self.outbox.step(self.now):
                pass
            self.now += MINUTE

    def report(self, message: str) -> None:
        """Let the app report an error."""
        self.bench.spool([mail(message)], self.now)


def texts(world: World) -> list[str]:
    """Return the texts of the digests, each on one line."""
    found: list[str] = []
    for raw in world.upstream.accepted:
        message = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
        part = message.get_body(("plain",))
        found.append(" ".join(part.get_content().split()) if part else "")
    return found


def test_bounces_of_a_digest_to_ten_recipients_make_no_digest_about_themselves(tmp_path):
    world = World(tmp_path, unknown=RECIPIENTS)
    world.report("the ledger is broken")
    world.run(timedelta(hours=5))
    books = world.ledger.books(world.now)

    assert len(world.upstream.accepted) == 1, "the digest about the error, and nothing about its bounces"
    assert (books.received, books.ignored, books.reported, books.pending) == (11, 10, 1, 0)
    assert books.balanced
    assert {each.recipient for each in world.ledger.bouncing(world.now)} == set(RECIPIENTS)
    world.ledger.close()


def test_next_digest_names_the_bouncing_address_to_the_other_recipients(tmp_path):
    gone = RECIPIENTS[0]
    world = World(tmp_path, unknown=[gone])
    world.report("the ledger is broken")
    world.run(timedelta(hours=1))
    shown = describe_bounces(world.ledger.bouncing(world.now), world.bench.settings.time.tz)
    world.upstream.unknown = ()
    world.report("another thing broke")
    world.run(timedelta(minutes=5))
    world.report("a third thing broke")
    world.run(timedelta(minutes=30))
    first, second, third, *_ = texts(world)

    note = f"Mail to {gone} bounces since 12:0"
    assert f"mail to {gone} bounces: 5.1.1 User unknown, since " in shown
    assert note in second
    assert "5.1.1 User unknown" in second
    assert not any("Undelivered Mail" in text for text in (first, second, third))
    assert note not in first + third
    assert world.ledger.bouncing(world.now + timedelta(days=8)) == []
    world.ledger.close()
