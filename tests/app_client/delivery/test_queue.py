"""Bounds, folding and above all the count, whatever the relay answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_client.capture.report import Report
from app_client.delivery import queue
from app_client.delivery.queue import Backlog, Parcel


def report(kind: int = 1, text: str = "") -> Report:
    return Report(
        sender="a@example.com", recipients=("b@example.com",), subject="Failed", text=text or f"error {kind}",
        created=0.0, logger="yourapplication", level="ERROR", kind=kind,
    )  # fmt: skip


def in_hand(waiting: Backlog) -> Parcel:
    parcel = waiting.take()
    assert parcel is not None
    return parcel


def roomy() -> Backlog:
    return Backlog(max_entries=100, max_bytes=10_000_000)


def test_equal_reports_that_wait_become_one_parcel_with_the_first_ones_text():
    waiting = roomy()

    for text in ("first", "second", "third"):
        waiting.add(report(text=text))
    parcel = in_hand(waiting)

    assert (parcel.count, parcel.report.text) == (3, "first")


def test_order_is_that_of_the_first_of_each_kind():
    waiting = roomy()
    for kind in (1, 2, 1, 3, 2):
        waiting.add(report(kind))

    taken = []
    while parcel := waiting.take():
        taken.append((parcel.report.kind, parcel.count))
        waiting.accept(parcel)

    assert taken == [(1, 2), (2, 2), (3, 1)]


def test_parcel_in_hand_stays_the_same_while_equal_reports_come():
    """They open a new entry: a repetition must say what the first try said."""
    waiting = roomy()
    waiting.add(report())
    first = in_hand(waiting)

    waiting.add(report())
    waiting.drop()

    assert in_hand(waiting) is first
    assert (first.count, first.dropped) == (1, 0)
    waiting.accept(first)
    second = in_hand(waiting)
    assert (second.count, second.dropped) == (1, 1)
    assert second.record_id != first.record_id


def test_a_count_above_the_bound_is_split(monkeypatch):
    monkeypatch.setattr(queue, "MAX_COUNT", 3)
    waiting = roomy()

    for _ in range(7):
        waiting.add(report())
    counts = []
    while parcel := waiting.take():
        counts.append(parcel.count)
        waiting.accept(parcel)

    assert counts == [3, 3, 1]


def test_dropped_ones_above_the_bound_are_told_by_several_parcels(monkeypatch):
    monkeypatch.setattr(queue, "MAX_COUNT", 3)
    waiting = roomy()
    for _ in range(4):
        waiting.drop()

    told = []
    for kind in range(3):
        waiting.add(report(kind))
        parcel = in_hand(waiting)
        told.append(parcel.dropped)
        waiting.accept(parcel)

    assert told == [3, 1, 0]


@pytest.mark.parametrize(("max_entries", "max_bytes"), [(3, 10_000_000), (100, 3 * report().weight)])
def test_what_has_no_room_is_dropped_and_counted(max_entries, max_bytes):
    waiting = Backlog(max_entries=max_entries, max_bytes=max_bytes)

    took = [waiting.add(report(kind)) for kind in range(5)]

    assert took == [True, True, True, False, False]
    assert (waiting.pending, waiting.dropped) == (3, 2)


def test_equal_reports_need_no_room():
    waiting = Backlog(max_entries=1, max_bytes=10_000_000)

    assert all(waiting.add(report()) for _ in range(1000))
    assert in_hand(waiting).count == 1000


def test_room_is_given_back_when_a_parcel_is_settled():
    waiting = Backlog(max_entries=1, max_bytes=2 * report().weight)

    for kind in range(10):
        assert waiting.add(report(kind))
        waiting.accept(in_hand(waiting))


def test_an_abandoned_parcel_is_counted_once_even_if_its_reply_comes_late():
    waiting = roomy()
    waiting.add(report())
    parcel = in_hand(waiting)

    assert waiting.abandon() == 1
    waiting.accept(parcel)
    waiting.refuse(parcel)

    assert (waiting.pending, waiting.dropped) == (0, 1)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["drop", "accept", "refuse", "abandon", "look"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_books_balance_after_any_course_of_events(steps):
    """Seen from the relay: what its mails stand for and tell as dropped, with what waits, is all there ever was."""
    waiting = Backlog(max_entries=3, max_bytes=10_000_000)
    happened = counted = told = 0

    for step, kind in steps:
        if step == "add":
            waiting.add(report(kind))
            happened += 1
        elif step == "drop":
            waiting.drop()
            happened += 1
        elif step == "abandon":
            waiting.abandon()
        elif (parcel := waiting.take()) is not None:
            if step == "accept":
                waiting.accept(parcel)
                counted += parcel.count
                told += parcel.dropped
            elif step == "refuse":
                waiting.refuse(parcel)

        assert happened == counted + told + waiting.pending + waiting.dropped
        assert waiting.dropped >= 0
        assert 0 <= waiting.opened - waiting.settled <= 3
