"""What is old goes, and the books stay."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from relay.ledger import Ledger
from relay.model import MessageState, Phase
from tests.support.ledger_world import (
    ADA,
    BOB,
    DAY,
    HOUR,
    MINUTE,
    NOON,
    REFUSED,
    SECOND,
    SENT,
    SPOOL,
    TTL,
    catch_up,
    enqueue_pending,
    figures,
    ingest,
    send,
    states,
)


def purge(ledger: Ledger, now: datetime, limit: int = 1_000) -> int:
    return ledger.purge(now, samples_for=14 * DAY, counts_for=90 * DAY, limit=limit)


def purge_all(ledger: Ledger, now: datetime, limit: int = 1_000) -> int:
    """Round after round until nothing is left to do; returns how many rounds that took."""
    rounds = 0
    while purge(ledger, now, limit):
        rounds += 1
        assert rounds < 1_000
    return rounds


def counted(ledger: Ledger) -> list[tuple[int, datetime, int]]:
    from sqlalchemy import select

    from relay.ledger.schema import counts

    with ledger._read() as connection:
        rows = connection.execute(select(counts).order_by(counts.c.resolution, counts.c.bucket))
        return [(row.resolution, row.bucket, row.occurrences) for row in rows]


def test_nothing_young_goes(ledger: Ledger):
    ingest(ledger, {"a": 3})
    enqueue_pending(ledger)
    send(ledger, SENT)

    assert purge(ledger, NOON + 23 * HOUR) == 0
    assert purge(ledger, NOON - 90 * DAY) == 0, "the clock was set back"


# --- Counts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 1_000])
def test_minutes_become_hours_become_days(ledger: Ledger, limit: int):
    """Each sum stays, however small the rounds are."""
    for minutes, number in ((0, 1), (59, 2), (60, 4), (119, 8), (24 * 60, 16)):
        ingest(ledger, {"a": number}, at=NOON + minutes * MINUTE)

    assert purge(ledger, NOON + 49 * HOUR - SECOND, limit) == 0, "only whole hours are rolled up"
    purge_all(ledger, NOON + 49 * HOUR, limit)
    assert counted(ledger)[-1] == (1, NOON, 3)
    purge_all(ledger, NOON + 73 * HOUR, limit)
    assert counted(ledger) == [(1, NOON, 3), (1, NOON + HOUR, 12), (1, NOON + DAY, 16)]
    purge_all(ledger, NOON + 15 * DAY, limit)
    assert counted(ledger) == [(1, NOON + DAY, 16), (2, NOON - 12 * HOUR, 15)]
    purge_all(ledger, NOON + 90 * DAY, limit)
    assert counted(ledger) == [(2, NOON + 12 * HOUR, 16)]


def test_late_counts_join_what_was_rolled_up(ledger: Ledger):
    """A spool that was sorted days later still ends in the same hour."""
    for _ in range(2):
        ingest(ledger, {"a": 5}, at=NOON)
        purge_all(ledger, NOON + 3 * DAY)

    assert counted(ledger) == [(1, NOON, 10)]


def test_course_is_the_same_before_and_after_roll_up(ledger: Ledger):
    for minutes in range(0, 600, 7):
        ingest(ledger, {"a": minutes % 5 + 1}, at=NOON + minutes * MINUTE)
    number = ledger.groups()[0].id

    for days in (3, 20):
        now = NOON + timedelta(days=days)
        before = ledger.timeline(number, NOON, now)
        purge_all(ledger, now, limit=20)
        assert ledger.timeline(number, NOON, now) == before


# --- Samples, records, groups -----------------------------------------------------------------------------------------


def test_samples_go_after_their_time(ledger: Ledger):
    ingest(ledger, {"a": 1}, at=NOON)
    ingest(ledger, {"a": 1}, at=NOON + DAY)
    number = ledger.groups()[0].id
    purge_all(ledger, NOON + 14 * DAY + SECOND)

    assert [each.at for each in ledger.samples_of(number)] == [NOON + DAY]
    ingest(ledger, {"a": 1}, at=NOON + 14 * DAY)
    assert [each.at for each in ledger.samples_of(number)] == [NOON + 14 * DAY, NOON + DAY]


def test_records_are_known_for_a_day(ledger: Ledger):
    record = "0" * 32
    with ledger.ingesting(SPOOL, 0) as tx:
        tx.remember_records([record], NOON)

    for now, new in ((NOON + DAY, set()), (NOON + DAY + SECOND, {record})):
        purge_all(ledger, now)
        with ledger.ingesting(SPOOL, 0) as tx:
            assert tx.remember_records([record], now) == new


def test_group_goes_once_it_was_quiet_for_long(ledger: Ledger):
    ingest(ledger, {"a": 3})
    enqueue_pending(ledger)
    send(ledger, SENT)
    purge_all(ledger, NOON + 90 * DAY)
    assert len(ledger.groups()) == 1
    purge_all(ledger, NOON + 90 * DAY + SECOND)

    assert ledger.groups() == []
    assert counted(ledger) == []
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_group_that_only_a_rate_unmutes_stays(ledger: Ledger):
    ingest(ledger, {"muted": 1})
    [group] = ledger.groups()
    reported = partial(replace, pending_mails=0, pending_occurrences=0, phase=Phase.ENDED)
    ledger.revise(group.id, partial(reported, mute_above=50, muted_since=NOON))
    purge_all(ledger, NOON + 200 * DAY)

    assert len(ledger.groups()) == 1


def test_group_with_something_pending_or_a_mute_stays(ledger: Ledger):
    ingest(ledger, {"pending": 1, "muted": 1, "was muted": 1})
    for group in ledger.groups():
        if group.fingerprint != "pending":
            until = NOON + (400 if group.fingerprint == "muted" else 50) * DAY
            reported = partial(replace, pending_mails=0, pending_occurrences=0, phase=Phase.ENDED)
            ledger.revise(group.id, partial(reported, muted_until=until))
    purge_all(ledger, NOON + 365 * DAY)

    assert {group.fingerprint for group in ledger.groups()} == {"pending", "muted"}


def test_id_of_a_group_that_went_is_never_given_again(ledger: Ledger):
    """An old link must not show another error."""
    ingest(ledger, {"a": 1})
    number = ledger.groups()[0].id
    enqueue_pending(ledger)
    purge_all(ledger, NOON + 91 * DAY)
    ingest(ledger, {"b": 1}, at=NOON + 91 * DAY)

    assert ledger.groups()[0].id > number


# --- Messages ---------------------------------------------------------------------------------------------------------


def test_sent_message_loses_its_bytes_and_later_its_row(ledger: Ledger):
    ingest(ledger, {"a": 3})
    outbox_id = enqueue_pending(ledger)
    send(ledger, SENT)
    purge_all(ledger, NOON + 14 * DAY)
    assert ledger.raw(outbox_id) is not None
    purge_all(ledger, NOON + 14 * DAY + SECOND)
    assert ledger.raw(outbox_id) is None
    assert ledger.entries_of(outbox_id) == []
    assert states(ledger, outbox_id)[0] is MessageState.SENT
    purge_all(ledger, NOON + 90 * DAY + SECOND)

    assert ledger.messages() == []
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_dead_and_open_messages_keep_their_content(ledger: Ledger):
    ingest(ledger, {"a": 3})
    dead = enqueue_pending(ledger, [ADA])
    send(ledger, REFUSED)
    opened = enqueue_pending(ledger, [ADA])
    purge_all(ledger, NOON + 1000 * DAY)

    for outbox_id in (dead, opened):
        assert ledger.raw(outbox_id) is not None
    assert ledger.entries_of(dead) != []
    assert ledger.retry(dead, NOON + 1000 * DAY)


def test_dropped_message_is_purged_like_a_sent_one(ledger: Ledger):
    ingest(ledger, {"a": 3})
    dead = enqueue_pending(ledger, [ADA])
    send(ledger, REFUSED)
    ledger.drop(dead, NOON + DAY)
    purge_all(ledger, NOON + 15 * DAY + SECOND)
    assert ledger.raw(dead) is None
    purge_all(ledger, NOON + 91 * DAY + SECOND)

    assert ledger.messages() == []
    assert figures(ledger) == {"received": 3, "undelivered": 3}


def test_digest_outlives_the_follow_up_that_served_one_of_its_recipients(ledger: Ledger):
    ingest(ledger, {"a": 3})
    outbox_id = enqueue_pending(ledger, [ADA], [BOB])
    claimed = ledger.claim_message("worker", NOON, TTL)
    assert claimed is not None
    catch_up(ledger, BOB)
    send(ledger, SENT)
    purge_all(ledger, NOON + 91 * DAY)
    assert len(ledger.messages()) == 1
    assert figures(ledger) == {"received": 3, "pending": 3}
    send(ledger, REFUSED, at=NOON + 91 * DAY)

    assert states(ledger, outbox_id)[0] is MessageState.SENT
    assert figures(ledger) == {"received": 3, "reported": 3}


def test_rounds_are_bounded(ledger: Ledger):
    for number in range(7):
        ingest(ledger, {f"error {number}": 1}, at=NOON + number * SECOND)
    enqueue_pending(ledger)
    send(ledger, SENT)

    assert purge_all(ledger, NOON + 365 * DAY, limit=2) == 4
    assert ledger.groups() == []
    assert figures(ledger) == {"received": 7, "reported": 7}
