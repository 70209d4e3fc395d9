"""A view logs an exception and raises it again, and Flask logs it once more: two groups, one failure, one entry."""

from __future__ import annotations

import logging
import random
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_client import MAIL_FORMAT
from relay.compose.message import text_part
from relay.digest import Digests
from relay.ledger import Ledger
from relay.model import Entry
from relay.service.assembly import make_renderer
from tests.support.ingest_bench import NOW, IngestBench, mail

SECOND = timedelta(seconds=1)


class OutOfStock(Exception):
    """The exception of the shop."""


def mails_of(orders: Iterable[int]) -> list[bytes]:
    """The mails of an app with the documented recipe about these orders, two for each order."""
    mails: list[bytes] = []

    class MailHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            mails.append(mail(self.format(record)))

    app = flask.Flask("shop")
    app.logger.handlers, app.logger.propagate = [MailHandler()], False
    app.logger.handlers[0].setFormatter(logging.Formatter(MAIL_FORMAT))

    def take(order: int) -> None:
        raise OutOfStock(f"only {order % 7} left for order {order}")

    def reserve(order: int) -> None:
        try:
            take(order)
        except OutOfStock:
            app.logger.exception("cannot reserve order %d", order)
            raise

    @app.post("/orders/<int:order>")
    def checkout(order: int) -> str:
        reserve(order)
        return "thanks"

    for order in orders:
        assert app.test_client().post(f"/orders/{order}").status_code == 500
    return mails


@contextmanager
def opened() -> Iterator[IngestBench]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
        try:
            yield IngestBench(Path(folder), ledger)
        finally:
            ledger.close()


def digest_of(bench: IngestBench, at: datetime) -> tuple[list[Entry], str]:
    """Enqueue the due digest; return its entries and its text."""
    assert Digests(bench.ledger, make_renderer(bench.settings), bench.settings, "test").step(at, caught_up=False)
    message = bench.ledger.messages()[0]
    return bench.ledger.entries_of(message.id), text_part(bench.ledger.raw(message.id) or b"")


def test_one_failure_logged_by_the_app_and_by_flask_is_one_entry_with_both_places():
    with opened() as bench:
        bench.spool(mails_of(range(40)))
        bench.ingest_all()
        entries, text = digest_of(bench, NOW + 11 * SECOND)

        assert sorted(group.mails for group in bench.ledger.groups()) == [40, 40]
        assert bench.books() == {"received": 80, "pending": 80}
        [message] = bench.ledger.messages()
        assert (message.mails, message.occurrences) == (80, 40)
        [head, echo] = sorted(entries, key=lambda entry: entry.echo_of or 0)
        assert (head.echo_of, echo.echo_of) == (None, head.group_id)
        assert head.sample
        assert head.sample.message.startswith("Exception on /orders/")
        assert message.subject == (
            "[App Failed] new: OutOfStock in take: only <number> left for order <number> (40× in less than 1 s)"
        )
        assert "40 occurrences, logged 80 times," in text
        assert f"Also logged:        40× at {__file__}:" in text
        assert f"(ID {echo.group_id})" in text
        assert text.count("NEW: ") == 1


def test_the_second_digest_about_it_is_in_the_thread_of_the_first():
    with opened() as bench:
        bench.spool(mails_of([1]))
        bench.ingest_all()
        digest_of(bench, NOW + 11 * SECOND)
        [first] = bench.ledger.messages()
        head = next(entry.group_id for entry in bench.ledger.entries_of(first.id) if entry.echo_of is None)
        token = bench.ledger.lease("schedule", "test", NOW + 12 * SECOND, timedelta(hours=1))

        with bench.ledger.digesting("schedule", token or 0) as tx:
            assert tx.first_message_id(head) == first.message_id


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.integers(1, 12), st.integers(0, 3))
def test_the_order_of_the_mails_does_not_matter_and_every_mail_is_counted(
    chance: random.Random, orders: int, lost: int
):
    """Also if some mails were lost: then there may be two entries, but the counts are still exact."""
    mails = mails_of(range(orders))
    mails = chance.sample(mails, max(len(mails) - lost, 1))
    with opened() as bench:
        bench.spool(mails)
        bench.ingest_all()
        entries, _ = digest_of(bench, NOW + 11 * SECOND)

        assert sum(entry.mails for entry in entries) == len(mails)
        assert bench.books() == {"received": len(mails), "pending": len(mails)}
        if not lost:
            assert sorted(entry.echo_of is None for entry in entries) == [False, True]
            assert {entry.occurrences for entry in entries} == {orders}
