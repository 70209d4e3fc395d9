"""Mails come in: each counted once, with the cursor."""

from dataclasses import replace
from datetime import datetime

import pytest

from relay.errors import CursorMismatch, LedgerError
from relay.ledger import Ledger
from relay.model import Form, Level, Report, Sample, Situation
from tests.support.ledger_world import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    SPOOL,
    figures,
    fresh,
    ingest,
    key,
    more,
    report,
    sample,
)


def test_unknown_spool_starts_at_zero(ledger: Ledger):
    assert ledger.cursor(SPOOL) == 0


def test_batch_moves_cursor_groups_and_books_together(ledger: Ledger):
    ingest(ledger, {"a": 3, "b": 2})

    assert ledger.cursor(SPOOL) == 5
    assert {group.fingerprint: group.pending_mails for group in ledger.groups()} == {"a": 3, "b": 2}
    assert figures(ledger) == {"received": 5, "pending": 5}


def test_second_batch_joins_the_groups_of_the_first(ledger: Ledger):
    ingest(ledger, {"a": 3})
    ingest(ledger, {"a": 1, "b": 1})

    assert {group.fingerprint: group.mails for group in ledger.groups()} == {"a": 4, "b": 1}


def test_exception_leaves_nothing_behind(ledger: Ledger):
    ingest(ledger, {"a": 1})

    with pytest.raises(RuntimeError), ledger.ingesting(SPOOL, 1) as tx:  # noqa: PT012 -- it is to fail after all that
        group = tx.groups([key("a"), key("b")])[key("a")]
        tx.save([more(group, 5), fresh("b")])
        tx.book(received=6)
        tx.advance(7)
        raise RuntimeError

    assert ledger.cursor(SPOOL) == 1
    assert [group.mails for group in ledger.groups()] == [1]
    assert figures(ledger) == {"received": 1, "pending": 1}


@pytest.mark.parametrize("position", [0, 4, 6])
def test_batch_from_another_position_is_refused(ledger: Ledger, position: int):
    ingest(ledger, {"a": 5})

    with pytest.raises(CursorMismatch), ledger.ingesting(SPOOL, position):
        pytest.fail("entered")


def test_unknown_spool_cannot_start_in_the_middle(ledger: Ledger):
    with pytest.raises(CursorMismatch), ledger.ingesting(SPOOL, 10):
        pytest.fail("entered")

    assert ledger.cursors() == []


def test_cursor_cannot_go_back(ledger: Ledger):
    ingest(ledger, {"a": 5})

    with pytest.raises(ValueError, match="back"), ledger.ingesting(SPOOL, 5) as tx:
        tx.advance(4)


def test_group_comes_back_as_it_was_saved(ledger: Ledger):
    """Every field, to the microsecond."""
    moment = datetime.fromisoformat("2026-03-01T12:34:56.789012+00:00")
    full = fresh("a", at=moment)
    full = type(full)(
        **{name: getattr(full, name) for name in full.__slots__}
        | {
            "level": Level.CRITICAL,
            "step": 3,
            "reported_at": moment - SECOND,
            "reported_rate": 12.75,
            "peak": 310,
            "minute": NOON,
            "minute_occurrences": 7,
            "seen_before": moment - DAY,
            "again": True,
            "muted_since": moment,
            "muted_until": moment + HOUR,
            "mute_above": 50,
            "mute_exceeded": True,
            "muted_mails": 11,
            "muted_occurrences": 12,
            "episode_muted": 13,
        }
    )
    with ledger.ingesting(SPOOL, 0) as tx:
        tx.groups([key("a")])
        saved = tx.save([full])[key("a")]

    assert saved.id > 0
    assert ledger.group(saved.id) == saved
    with ledger.ingesting(SPOOL, 0) as tx:
        assert tx.groups([key("a")]) == {key("a"): saved}


def test_claimed_key_that_is_not_saved_leaves_no_group(ledger: Ledger):
    with ledger.ingesting(SPOOL, 0) as tx:
        assert tx.groups([key("a"), key("b")]) == {}
        tx.save([fresh("a")])

    assert [group.fingerprint for group in ledger.groups()] == ["a"]


def test_group_that_was_not_asked_for_cannot_be_saved(ledger: Ledger):
    ingest(ledger, {"a": 1})
    stale = ledger.groups()[0]

    with pytest.raises(LedgerError), ledger.ingesting(SPOOL, 1) as tx:
        tx.save([more(stale, 1)])
    with pytest.raises(LedgerError), ledger.ingesting(SPOOL, 1) as tx:
        tx.save([fresh("b")])


def test_keys_that_differ_in_one_part_are_different_groups(ledger: Ledger):
    keys = [("admins", "shop", "a"), ("ops", "shop", "a"), ("admins", "shopa", ""), ("admins", "sho", "pa")]
    with ledger.ingesting(SPOOL, 0) as tx:
        tx.groups(keys)
        tx.save(
            type(group)(**{name: getattr(group, name) for name in group.__slots__} | {"app": app, "route": route})
            for route, app, name in keys
            for group in [fresh(name)]
        )

    assert len(ledger.groups()) == 4


def test_more_keys_than_one_statement_takes(ledger: Ledger):
    ingest(ledger, {f"error {number}": 1 for number in range(1201)})
    ingest(ledger, {f"error {number}": 1 for number in range(1300)})

    assert ledger.tally().groups == 1300
    assert figures(ledger) == {"received": 2501, "pending": 2501}


@pytest.mark.parametrize("odd", ["\0", "\ud800", "é" * 5000, "💥", "'; DROP TABLE groups; --", "\n\t"])
def test_odd_text_is_taken_and_found_again(ledger: Ledger, odd: str):
    """A key of any length and with any character is the same key the next time."""
    for _ in range(2):
        ingest(ledger, {f"x{odd}": 1})
    ingest(ledger, {"x": 1})

    assert sorted(group.mails for group in ledger.groups()) == [1, 2]


# --- Counts -----------------------------------------------------------------------------------------------------------


def test_counts_add_up_by_minute(ledger: Ledger):
    ingest(ledger, {"a": 3}, at=NOON + 10 * SECOND)
    ingest(ledger, {"a": 4}, at=NOON + 50 * SECOND)
    ingest(ledger, {"a": 5}, at=NOON + 2 * MINUTE)

    course = ledger.timeline(ledger.groups()[0].id, NOON, NOON + 2 * MINUTE)

    assert course is not None
    assert (course.since, course.step, course.counts) == (NOON, MINUTE, (7, 0, 5))


# --- Samples ----------------------------------------------------------------------------------------------------------


def kept(ledger: Ledger) -> list[str]:
    return [each.report.message for each in ledger.samples_of(ledger.groups()[0].id)]


def add_samples(ledger: Ledger, messages: list[str]) -> None:
    with ledger.ingesting(SPOOL, ledger.cursor(SPOOL)) as tx:
        group = tx.groups([key("a")]).get(key("a")) or fresh("a")
        number = tx.save([group])[key("a")].id
        for message in messages:
            tx.sample(number, sample(message))


@pytest.mark.parametrize("sizes", [[8], [1] * 8, [3, 5], [7, 1], [2, 0, 6]])
def test_first_and_newest_samples_stay(ledger: Ledger, sizes: list[int]):
    messages = iter("abcdefgh")
    for size in sizes:
        add_samples(ledger, [next(messages) for _ in range(size)])

    assert kept(ledger) == ["h", "g", "f", "e", "d", "a"]


def test_few_samples_all_stay(ledger: Ledger):
    add_samples(ledger, ["a"])
    add_samples(ledger, ["b", "c"])

    assert kept(ledger) == ["c", "b", "a"]


def test_sample_comes_back_as_it_was(ledger: Ledger):
    """Odd characters, the enums, and every field that is not at its default."""
    full = Report(
        form=Form.CLIENT,
        subject="Failed é \ud800 \0 💥",
        sender="app@example.com",
        app="shop",
        level=Level.CRITICAL,
        logger="shop.db",
        location="/srv/app.py:12",
        module="app",
        function="checkout",
        time="2026-03-01 12:00:00,000",
        message="multi\nline\ttext",
        trace="Traceback (most recent call last):\n  …",
        environment="production",
        host="web1",
        release="1.2.3",
        count=17,
        record_id="0" * 32,
        dropped=3,
        size=12345,
        cut=True,
        own=True,
    )
    with ledger.ingesting(SPOOL, 0) as tx:
        tx.groups([key("a")])
        number = tx.save([fresh("a")])[key("a")].id
        tx.sample(number, Sample(at=NOON, report=full))

    assert ledger.samples_of(number) == [Sample(at=NOON, report=full)]


# --- Records of our client --------------------------------------------------------------------------------------------

ONE, TWO, THREE = "0" * 31 + "1", "0" * 31 + "2", "f" * 32


def test_repeated_record_is_not_new(ledger: Ledger):
    with ledger.ingesting(SPOOL, 0) as tx:
        assert tx.remember_records([ONE, TWO], NOON) == {ONE, TWO}
        tx.advance(2)
    with ledger.ingesting(SPOOL, 2) as tx:
        assert tx.remember_records([TWO, THREE], NOON) == {THREE}
        assert tx.remember_records([ONE, TWO, THREE], NOON) == set()


def test_record_of_a_batch_that_failed_is_new_again(ledger: Ledger):
    with pytest.raises(RuntimeError), ledger.ingesting(SPOOL, 0) as tx:  # noqa: PT012 -- it is to fail after that
        tx.remember_records([ONE], NOON)
        raise RuntimeError

    with ledger.ingesting(SPOOL, 0) as tx:
        assert tx.remember_records([ONE], NOON) == {ONE}


@pytest.mark.parametrize("wrong", ["", "00", "g" * 32, "0" * 34])
def test_record_id_that_is_none_is_refused(ledger: Ledger, wrong: str):
    with pytest.raises(ValueError), ledger.ingesting(SPOOL, 0) as tx:
        tx.remember_records([wrong], NOON)


# --- Books and parked mails -------------------------------------------------------------------------------------------


def test_books_add_up_over_spools(ledger: Ledger):
    for spool in (SPOOL, "b" * 32):
        with ledger.ingesting(spool, 0) as tx:
            tx.book(received=6, muted=1)
            tx.book(ignored=2, parked=3)

    assert figures(ledger) == {"received": 12, "muted": 2, "ignored": 4, "parked": 6}


def test_parked_mails_are_listed_oldest_first(ledger: Ledger):
    with ledger.ingesting(SPOOL, 0) as tx:
        tx.quarantine(20, at=NOON + HOUR, reason="it killed the worker twice", path="/parked/20")
        tx.quarantine(10, at=NOON, reason="\0odd", path="")

    listed = ledger.quarantined()

    assert [(each.position, each.reason, each.path) for each in listed] == [
        (10, "�odd", ""),
        (20, "it killed the worker twice", "/parked/20"),
    ]
    assert [each.position for each in ledger.quarantined(before=NOON + MINUTE)] == [10]

    ledger.forget_quarantined(listed[:1])

    assert [each.position for each in ledger.quarantined()] == [20]


def test_sample_of_a_stored_report_survives_a_field_it_does_not_have(ledger: Ledger):
    """A ledger outlives releases: what an older one wrote lacks newer fields, what a newer one wrote has more."""
    from relay.ledger.rows import report_json, report_of

    text = report_json(report("x")).replace('"host":"",', '"unheard_of":1,')
    text = text.replace('"situation":null,"situation_reason":""', '"else_unheard_of":1')

    assert "situation" not in text
    assert report_of(text) == report("x")


def test_sample_keeps_its_situation(ledger: Ledger):
    from relay.ledger.rows import report_json, report_of

    reported = replace(report("x"), situation=Situation.NETWORK_DOWN, situation_reason="URLError")

    assert report_of(report_json(reported)) == reported
    assert report_of(report_json(reported)).situation is Situation.NETWORK_DOWN


def test_occurrences_of_the_last_hour_are_those_of_its_minutes(ledger: Ledger):
    """Without those of the batch itself, and of that group alone."""
    for minute in (0, 1, 30, 60):
        ingest(ledger, {"a": 10, "b": 1}, at=NOON + minute * MINUTE)
    groups = {group.fingerprint: group.id for group in ledger.groups()}
    with ledger.ingesting(SPOOL, ledger.cursor(SPOOL)) as tx:
        tx.count(groups["a"], {NOON + 61 * MINUTE: 99})
        assert tx.occurrences_after(groups["a"], NOON) == 30
        assert tx.occurrences_after(groups["b"], NOON + 29 * MINUTE) == 2
        assert tx.occurrences_after(groups["a"], NOON + HOUR) == 0
