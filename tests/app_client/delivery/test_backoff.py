"""Backoff: how long the sending thread pauses, and when it gives up on a mail."""

import pytest

from app_client.delivery.backoff import AWAY, PAUSES, REST, Backoff
from app_client.delivery.connection import Outcome


def test_pauses_grow_with_each_failure_up_to_a_maximum():
    backoff, now = Backoff(), 100.0
    pauses = []
    for _ in range(len(PAUSES) + 2):
        backoff.failed(now)
        pauses.append(backoff.due - now)
        now = backoff.due

    assert pauses == pytest.approx([*PAUSES, PAUSES[-1], PAUSES[-1]])


def test_a_settled_mail_resets_the_pauses():
    backoff = Backoff()
    backoff.failed(100.0)
    backoff.failed(101.0)

    backoff.settled(102.0, rest=False)

    assert (backoff.due, backoff.failures) == (0.0, 0)
    backoff.failed(103.0)
    assert backoff.due == 103.0 + PAUSES[0]


def test_a_round_ends_with_a_rest_unless_a_caller_waits():
    backoff = Backoff()
    backoff.settled(100.0, rest=True)
    assert backoff.due == 100.0 + REST

    backoff.start_drain(105.0)
    assert backoff.due == 0.0
    backoff.settled(101.0, rest=True)
    assert backoff.due == 0.0
    backoff.settled(106.0, rest=True)
    assert backoff.due == 106.0 + REST


def test_pauses_are_short_while_a_caller_waits():
    backoff, now = Backoff(), 100.0
    for _ in range(len(PAUSES)):
        backoff.failed(now)
    backoff.start_drain(110.0)

    backoff.failed(101.0)
    assert 101.0 < backoff.due < 102.0
    backoff.failed(111.0)
    assert backoff.due == 111.0 + PAUSES[-1]


def test_a_second_shorter_drain_does_not_shorten_the_first():
    backoff = Backoff()
    backoff.start_drain(110.0)
    backoff.start_drain(105.0)

    assert backoff.is_draining(109.0)
    assert not backoff.is_draining(110.0)


def test_a_relay_is_away_after_failures_for_long_enough():
    backoff = Backoff()
    assert not backoff.is_away(1e9)
    backoff.failed(100.0)
    assert not backoff.is_away(100.0 + AWAY / 2)
    backoff.failed(100.0 + AWAY)
    assert backoff.is_away(100.0 + AWAY)
    backoff.settled(100.0 + AWAY, rest=False)
    assert not backoff.is_away(200.0)


def test_a_mail_deferred_too_often_is_refused_and_the_count_restarts():
    backoff = Backoff()
    judged: list[Outcome] = []
    while not judged or judged[-1] is Outcome.DEFERRED:
        judged.append(backoff.limit_deferrals(Outcome.DEFERRED))
    assert len(judged) >= 20
    assert judged[-1] is Outcome.REFUSED

    backoff.settled(100.0, rest=False)
    assert backoff.limit_deferrals(Outcome.DEFERRED) is Outcome.DEFERRED


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.LOST])
def test_other_outcomes_are_never_changed(outcome):
    backoff = Backoff()

    assert [backoff.limit_deferrals(outcome) for _ in range(100)] == [outcome] * 100
