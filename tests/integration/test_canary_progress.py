"""How far a canary came, read from a real ledger, at each step of its way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from relay.config import make_settings
from relay.deliver import open_target
from relay.digest import Digests
from relay.ledger import Ledger
from relay.outbox.step import Outbox
from relay.service.assembly import make_renderer
from relay.service.canary import Progress, canary_mail, progress
from tests.support.ingest_bench import NOW, IngestBench, mail
from tests.support.upstream import Upstream

SECOND = timedelta(seconds=1)
ADMIN = "ops@acme.test"


class Way:
    """One relay, step by step."""

    def __init__(self, folder: Path, server: Upstream) -> None:
        through = {"host": server.host, "port": server.port, "security": "none", "timeout": "5s"}
        self.settings = make_settings(folder, admins=[ADMIN], sender="relay@acme.test", upstream=through)
        self.ledger = Ledger.open(self.settings.storage.ledger_url)
        self.bench = IngestBench(folder, self.ledger, admins=[ADMIN])
        self.digests = Digests(self.ledger, make_renderer(self.settings), self.settings, "one")
        self.outbox = Outbox(self.ledger, open_target(self.settings), self.settings, "one", lambda: 0.0)

    def accept(self, at: datetime) -> None:
        self.bench.spool([canary_mail(self.settings, at).as_bytes()], at=at)

    def progress(self, sent_at: datetime = NOW) -> Progress:
        return progress(self.ledger, sent_at)


@pytest.fixture
def server() -> Iterator[Upstream]:
    with Upstream() as started:
        yield started


@pytest.fixture
def way(tmp_path: Path, server: Upstream) -> Iterator[Way]:
    made = Way(tmp_path / "data", server)
    yield made
    made.ledger.close()


def test_each_step_of_the_way_is_named(way: Way, server: Upstream) -> None:
    way.accept(NOW)
    assert "not ingested yet" in way.progress().text

    way.bench.ingest_all()
    assert "no digest is enqueued yet" in way.progress().text

    assert way.digests.step(NOW)
    assert "the upstream has not accepted it" in way.progress().text

    way.outbox.step(NOW)
    assert way.progress() == Progress(delivered=True, text=ADMIN)
    assert "Nothing needs to be done" in server.mails[0].raw.decode()


def test_refusal_of_the_upstream_is_quoted(way: Way, server: Upstream) -> None:
    server.say("MAIL", "451 4.7.1 greylisted")
    way.accept(NOW)
    way.bench.ingest_all()
    way.digests.step(NOW)
    way.outbox.step(NOW)

    assert way.progress() == Progress(text=f"{ADMIN}: 451 4.7.1 greylisted")


def test_delivered_canary_is_no_answer_for_a_later_one(way: Way) -> None:
    way.accept(NOW)
    way.bench.ingest_all()
    way.digests.step(NOW)
    way.outbox.step(NOW)
    way.accept(NOW + SECOND)

    assert not way.progress(NOW + SECOND).delivered
    way.bench.ingest_all(NOW + SECOND)
    assert way.digests.step(NOW + SECOND), "an earlier canary delays a later one by at most a second"
    way.outbox.step(NOW + SECOND)
    assert way.progress(NOW + SECOND).delivered


def test_digest_of_a_canary_contains_nothing_else_and_no_other_digest_contains_it(way: Way, server: Upstream) -> None:
    way.bench.spool([mail("the shop is on fire")], at=NOW)
    way.accept(NOW)
    way.bench.ingest_all()
    for second in range(40):
        way.digests.step(NOW + second * SECOND)
        way.outbox.step(NOW + second * SECOND)

    texts = [sent.raw.decode() for sent in server.mails]
    assert [("Nothing needs to be done" in text, "on fire" in text) for text in texts] == [(True, False), (False, True)]
