"""Several errors in one mail: each is counted and reported, and the books still balance in mails."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from relay.digest import Digests
from relay.ledger import Ledger, Outcome
from relay.model import Level
from relay.parse.report import parse_all
from relay.service.assembly import make_renderer
from tests.support.ingest_bench import NOW, IngestBench, mail, of_our_client
from tests.support.mails import record

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

WORDS = ("printer burns", "disk is full", "payment failed", "cart is lost", "login crashed", "mail bounced")


@pytest.fixture
def bench(ledger: Ledger, tmp_path: Path) -> IngestBench:
    return IngestBench(tmp_path, ledger)


def records(*lines: tuple[str, str]) -> bytes:
    """A mail with these log records: level and message. The first one says that the job began."""
    lines = (("INFO", "the job begins"), *lines)
    text = "\r\n".join(
        f"2026-01-02 03:04:{number % 60:02},000 {level} shop.job: {message}"
        for number, (level, message) in enumerate(lines)
    )
    return mail(text)


def receive(bench: IngestBench, *mails: bytes, later: timedelta = timedelta()) -> None:
    bench.spool(mails, at=NOW + later)
    bench.ingest_all(NOW + later)


def figures(bench: IngestBench) -> dict[str, tuple[int, int]]:
    return {group.title: (group.mails, group.occurrences) for group in bench.ledger.groups()}


def digest(bench: IngestBench, later: timedelta) -> list[tuple[str, str, int, int]]:
    """Enqueue what is due and have it delivered: reason, title, mails and occurrences of each entry."""
    digests = Digests(bench.ledger, make_renderer(bench.settings), bench.settings, "test")
    digests.step(NOW + later)
    found = []
    while message := bench.ledger.claim_message("test", NOW + later, MINUTE):
        outcome = Outcome(sent=frozenset(message.recipients), tries=1, refusals=0, ambiguous=False)
        bench.ledger.settle(message, outcome, NOW + later)
        found += bench.ledger.entries_of(message.id)
    return sorted((entry.reason.value, entry.title, entry.mails, entry.occurrences) for entry in found)


def test_the_mail_belongs_to_the_worst_error_and_the_others_have_occurrences_alone(bench: IngestBench):
    receive(
        bench,
        records(
            ("INFO", "hello"), ("ERROR", "the disk is full"), ("CRITICAL", "the printer burns"), ("ERROR", "no paper")
        ),
    )

    assert figures(bench) == {"the printer burns": (1, 1), "the disk is full": (0, 1), "no paper": (0, 1)}
    assert bench.books() == {"received": 1, "pending": 1}
    for group in bench.ledger.groups():
        [sample] = bench.ledger.samples_of(group.id)
        assert sample.report.message == group.title
        assert (group.first_seen, group.last_seen) == (NOW, NOW)
    assert {group.level for group in bench.ledger.groups()} == {Level.CRITICAL, Level.ERROR}


def test_equal_errors_of_one_mail_are_counted_not_repeated(bench: IngestBench):
    receive(bench, records(*(("ERROR", f"order {number} is lost") for number in range(5)), ("ERROR", "the end failed")))

    assert figures(bench) == {"the end failed": (1, 1), "order <number> is lost": (0, 5)}


def test_the_worst_error_counts_its_repeats_and_one_mail(bench: IngestBench):
    receive(bench, records(*(("ERROR", f"order {number} is lost") for number in range(5))))

    assert figures(bench) == {"order <number> is lost": (1, 5)}


def test_a_mail_counts_at_most_twenty_further_errors(bench: IngestBench):
    receive(bench, records(*(("ERROR", f"{a}{b} is lost") for a in "bcdfgh" for b in "klmnp")))

    assert len(figures(bench)) == 21


def test_an_error_without_a_mail_of_its_own_is_reported_like_any_other(bench: IngestBench):
    both = records(("ERROR", "the disk is full"), ("ERROR", "the printer burns"))
    receive(bench, both)
    assert digest(bench, 11 * SECOND) == [
        ("new", "the disk is full", 0, 1),
        ("new", "the printer burns", 1, 1),
    ]
    assert bench.ledger.books(NOW).reported == 1

    receive(bench, both, both, later=MINUTE)
    assert digest(bench, 6 * MINUTE + 11 * SECOND) == [
        ("ongoing", "the disk is full", 0, 2),
        ("ongoing", "the printer burns", 2, 2),
    ]

    receive(bench, mail("something else"), later=HOUR)
    assert ("ended", "the disk is full", 0, 0) in digest(bench, HOUR + 11 * SECOND)
    assert bench.ledger.books(NOW).balanced


def test_a_digest_with_further_errors_alone_is_sent(ledger: Ledger, tmp_path: Path):
    """The route of the mail's own error has another recipient."""
    routes = [{"name": "ops", "pattern": "*disk*", "recipients": ["ops@example.com"]}]
    bench = IngestBench(tmp_path, ledger, route=routes)
    receive(bench, records(("ERROR", "the disk is full"), ("CRITICAL", "the printer burns")))

    assert digest(bench, 11 * SECOND) == [("new", "the disk is full", 0, 1), ("new", "the printer burns", 1, 1)]
    assert (ledger.books(NOW).reported, ledger.books(NOW).balanced) == (1, True)


def test_an_error_that_is_muted_counts_no_mail_as_muted_where_it_is_a_further_one(bench: IngestBench):
    receive(bench, mail("the disk is full"))
    bench.mute(NOW + HOUR)

    receive(bench, records(("ERROR", "shop.job: the disk is full"), ("ERROR", "the printer burns")), later=MINUTE)
    receive(bench, records(("ERROR", "the disk is full"), ("ERROR", "the printer burns")), later=MINUTE)

    assert bench.ledger.books(NOW).muted == 0
    assert bench.books()["received"] == 3


def test_a_rule_that_ignores_the_worst_error_ignores_the_mail_and_counts_the_others(ledger: Ledger, tmp_path: Path):
    rules = [{"name": "Printer", "action": "ignore", "message": "*printer*"}]
    bench = IngestBench(tmp_path, ledger, rule=rules)

    receive(bench, records(("ERROR", "the disk is full"), ("CRITICAL", "the printer burns")))
    receive(bench, records(("ERROR", "the printer burns"), ("CRITICAL", "the cart is lost")))

    assert figures(bench) == {"the disk is full": (0, 1), "the cart is lost": (1, 1)}
    assert bench.books() == {"received": 2, "pending": 1, "ignored": 1}


def test_a_repeated_mail_of_our_client_counts_none_of_its_errors(bench: IngestBench):
    text = records(("ERROR", "the disk is full"), ("ERROR", "the printer burns")).partition(b"\r\n\r\n")[2].decode()

    receive(bench, of_our_client(7, message=text), of_our_client(7, message=text))

    assert bench.books() == {"received": 2, "pending": 1, "ignored": 1}
    assert sum(group.occurrences for group in bench.ledger.groups()) <= 2


def test_each_further_error_is_redacted(bench: IngestBench):
    receive(bench, records(("ERROR", "login with password=kX9-vq27Lm failed"), ("ERROR", "kX9-vq27Lm is not a user")))

    for group in bench.ledger.groups():
        for sample in bench.ledger.samples_of(group.id):
            assert "kX9-vq27Lm" not in repr(sample)
        assert "kX9-vq27Lm" not in group.title


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None, phases=[Phase.generate]
)
@given(
    mails=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]), st.sampled_from(WORDS)),
            min_size=1,
            max_size=12,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_records_in_any_order_balance(tmp_path_factory: pytest.TempPathFactory, mails: list[list[tuple[str, str]]]):
    folder = tmp_path_factory.mktemp("any")
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
    bench = IngestBench(folder, ledger)

    receive(bench, *(records(*lines) for lines in mails))

    groups = ledger.groups(limit=1_000)
    books = ledger.books(NOW)
    assert (books.received, books.pending, books.balanced) == (len(mails), len(mails), True)
    assert sum(group.mails for group in groups) == len(mails)
    reports = [report for lines in mails for report in parse_all(record(records(*lines)), ())]
    assert sum(group.occurrences for group in groups) == len(reports)
    while digest(bench, 11 * SECOND):
        pass
    assert ledger.books(NOW).balanced
    ledger.close()
