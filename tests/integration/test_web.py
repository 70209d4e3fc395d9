"""The dashboard, health checks and metrics over a real ledger."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from relay.config import make_settings
from relay.digest import Digests
from relay.errors import LedgerBusy
from relay.ledger import Ledger
from relay.model import BudgetState
from relay.service.assembly import make_renderer
from relay.web import Vitals, create_app
from tests.support.ingest_bench import IngestBench, mail

LATER = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }} broke"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    yield found
    found.close()


@pytest.fixture
def browse(tmp_path: Path, ledger: Ledger) -> Callable[..., FlaskClient]:
    def make(**tables) -> FlaskClient:
        vitals = Vitals(
            idle_seconds={"sorting": 0.0},
            longest_delivery=1.0,
            backlog=2,
            receiver_seen_at=LATER,
            receiver_counters={"mails": 3},
        )
        settings = make_settings(tmp_path, **tables)
        return create_app(ledger, settings, lambda: vitals, lambda: LATER).test_client()

    return make


@pytest.fixture
def one_digest(tmp_path: Path, ledger: Ledger) -> IngestBench:
    """One error with hostile text, reported in one digest."""
    bench = IngestBench(tmp_path, ledger)
    bench.spool([mail(HOSTILE)] * 3)
    bench.ingest_all()
    assert Digests(ledger, make_renderer(bench.settings), bench.settings, "test").step(LATER)
    return bench


def test_empty_ledger_shows_an_empty_page(browse):
    page = browse().get("/")

    assert page.status_code == 200
    assert "No error has been received yet." in page.text


def test_readiness_and_page_say_who_waits_for_the_budget(browse, ledger, one_digest):
    """The relay is ready all the same: the budget does what it is there for."""
    one_digest.spool([mail("another error broke it")])
    one_digest.ingest_all()
    spent = BudgetState(tokens=0.0, at=LATER, day="2026-03-01", sent_today=20, exhausted_since=LATER)
    with ledger.digesting("test", ledger.lease("test", "me", LATER, timedelta(minutes=1))) as tx:
        tx.save_budget("admins@localhost", spent)
    client = browse()

    ready, page = client.get("/readyz"), client.get("/")

    assert (ready.status_code, ready.json["ok"]) == (200, True)
    for shown in (ready.json["budget"], page.text):
        assert "admins@localhost gets the next mail" in shown
        assert "1 error waiting since" in shown


def test_every_page_says_so_while_the_ledger_cannot_be_read(browse, ledger, monkeypatch):
    def unreadable(*_args, **_kwargs):
        raise LedgerBusy("the ledger is locked or cannot be written: disk I/O error")

    monkeypatch.setattr(type(ledger), "upstream", unreadable)
    monkeypatch.setattr(type(ledger), "books", unreadable)
    client = browse()
    ready, page, metrics = client.get("/readyz"), client.get("/"), client.get("/metrics")

    assert client.get("/livez").status_code == 200
    assert (ready.status_code, page.status_code, metrics.status_code) == (503, 503, 503)
    assert ready.json["ledger"].endswith("disk I/O error")
    assert ready.json["receiver"] == "accepts mail"
    assert "disk I/O error" in page.text


def test_pages_show_errors_and_digests_and_escape_the_text_of_mails(browse, one_digest):
    client = browse()
    group, digest = one_digest.ledger.groups()[0], one_digest.ledger.messages()[0]

    pages = [client.get(path) for path in ("/", f"/errors/{group.id}", f"/letters/{digest.id}")]

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert not any("<script>" in page.text for page in pages)
    assert "{{ 7 * 7 }}" in pages[1].text
    assert all("default-src 'none'" in page.headers["Content-Security-Policy"] for page in pages)


def test_html_of_a_digest_is_shown_in_a_sandbox(browse, one_digest):
    page = browse().get(f"/letters/{one_digest.ledger.messages()[0].id}/html")

    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("sandbox;")
    assert "<script>" not in page.text


@pytest.mark.parametrize("path", ["/errors/99", "/letters/nothing", "/letters/nothing/html", "/elsewhere"])
def test_unknown_page_is_404(browse, path):
    assert browse().get(path).status_code == 404


def test_metrics_hold_the_books_and_the_counters_of_the_receiver(browse, one_digest):
    text = browse().get("/metrics").text

    assert "relay_mails_received_total 3.0" in text
    assert 'relay_mails{place="pending"} 3.0' in text
    assert "relay_receiver_mails 3.0" in text
    assert "relay_spool_unsorted_mails 2.0" in text


def test_password_protects_the_dashboard_but_not_health_and_metrics(browse):
    client = browse(http={"password": "open sesame"})
    right = base64.b64encode(b"anybody:open sesame").decode()
    wrong = base64.b64encode(b"anybody:open barley").decode()

    assert client.get("/").status_code == 401
    assert client.get("/", headers={"Authorization": f"Basic {wrong}"}).status_code == 401
    assert client.get("/", headers={"Authorization": f"Basic {right}"}).status_code == 200
    assert [client.get(path).status_code for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]


def test_post_is_not_allowed(browse):
    assert browse().post("/").status_code == 405


def test_page_shows_the_time_that_the_caller_passes(browse):
    assert "2026-03-01 12:01:00 UTC" in browse().get("/").text
