"""The queue: its limits, equal reports, and exact counts for any replies of the relay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_client.capture.report import Report
from app_client.delivery import queue
from app_client.delivery.queue import QueuedMail, ReportQueue


def report(kind: int = 1, text: str = "") -> Report:
    return Report(
        sender="a@example.com", recipients=("b@example.com",), subject="Failed", text=text or f"error {kind}",
        created=0.0, logger="yourapplication", level="ERROR", kind=kind,
    )  # fmt: skip


def next_mail(reports: ReportQueue) -> QueuedMail:
    queued = reports.take()
    assert queued is not None
    return queued


def large_queue() -> ReportQueue:
    return ReportQueue(max_entries=100, max_bytes=10_000_000)


def test_equal_waiting_reports_become_one_mail_with_the_text_of_the_first():
    reports = large_queue()

    for text in ("first", "second", "third"):
        reports.add(report(text=text))
    queued = next_mail(reports)

    assert (queued.count, queued.report.text) == (3, "first")


def test_order_is_that_of_the_first_report_of_each_kind():
    reports = large_queue()
    for kind in (1, 2, 1, 3, 2):
        reports.add(report(kind))

    taken = []
    while queued := reports.take():
        taken.append((queued.report.kind, queued.count))
        reports.accept(queued)

    assert taken == [(1, 2), (2, 2), (3, 1)]


def test_mail_in_flight_does_not_change_when_equal_reports_come():
    """They open a new entry, because a repeated mail must be identical."""
    reports = large_queue()
    reports.add(report())
    first = next_mail(reports)

    reports.add(report())
    reports.drop()

    assert next_mail(reports) is first
    assert (first.count, first.dropped) == (1, 0)
    reports.accept(first)
    second = next_mail(reports)
    assert (second.count, second.dropped) == (1, 1)
    assert second.record_id != first.record_id


def test_a_count_above_the_maximum_is_split(monkeypatch):
    monkeypatch.setattr(queue, "MAX_COUNT", 3)
    reports = large_queue()

    for _ in range(7):
        reports.add(report())
    counts = []
    while queued := reports.take():
        counts.append(queued.count)
        reports.accept(queued)

    assert counts == [3, 3, 1]


def test_dropped_errors_above_the_maximum_are_split(monkeypatch):
    monkeypatch.setattr(queue, "MAX_COUNT", 3)
    reports = large_queue()
    for _ in range(4):
        reports.drop()

    reported = []
    for kind in range(3):
        reports.add(report(kind))
        queued = next_mail(reports)
        reported.append(queued.dropped)
        reports.accept(queued)

    assert reported == [3, 1, 0]


@pytest.mark.parametrize(("max_entries", "max_bytes"), [(3, 10_000_000), (100, 3 * report().weight)])
def test_reports_that_do_not_fit_are_dropped_and_counted(max_entries, max_bytes):
    reports = ReportQueue(max_entries=max_entries, max_bytes=max_bytes)

    took = [reports.add(report(kind)) for kind in range(5)]

    assert took == [True, True, True, False, False]
    assert (reports.pending, reports.dropped) == (3, 2)


def test_equal_reports_need_no_space():
    reports = ReportQueue(max_entries=1, max_bytes=10_000_000)

    assert all(reports.add(report()) for _ in range(1000))
    assert next_mail(reports).count == 1000


def test_space_is_released_when_a_mail_is_settled():
    reports = ReportQueue(max_entries=1, max_bytes=2 * report().weight)

    for kind in range(10):
        assert reports.add(report(kind))
        reports.accept(next_mail(reports))


def test_a_mail_dropped_in_flight_is_counted_once_even_if_a_late_reply_comes():
    reports = large_queue()
    reports.add(report())
    queued = next_mail(reports)

    assert reports.drop_all() == 1
    reports.accept(queued)
    reports.refuse(queued)

    assert (reports.pending, reports.dropped) == (0, 1)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["drop", "accept", "refuse", "abandon", "look"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_counts_balance_after_any_sequence_of_events(steps):
    """The relay's view: counted and reported as dropped, plus pending and dropped, is the total of all errors."""
    reports = ReportQueue(max_entries=3, max_bytes=10_000_000)
    happened = counted = reported = 0

    for step, kind in steps:
        if step == "add":
            reports.add(report(kind))
            happened += 1
        elif step == "drop":
            reports.drop()
            happened += 1
        elif step == "abandon":
            reports.drop_all()
        elif (queued := reports.take()) is not None:
            if step == "accept":
                reports.accept(queued)
                counted += queued.count
                reported += queued.dropped
            elif step == "refuse":
                reports.refuse(queued)

        assert happened == counted + reported + reports.pending + reports.dropped
        assert reports.dropped >= 0
        assert 0 <= reports.opened - reports.settled <= 3
