"""How long the sending thread pauses, and when it gives up on a mail."""

import pytest

from app_client.delivery.backoff import AWAY, PAUSES, REST, Pace
from app_client.delivery.connection import Outcome


def test_pauses_grow_with_each_try_in_vain_and_then_stay():
    pace, now = Pace(), 100.0
    pauses = []
    for _ in range(len(PAUSES) + 2):
        pace.failed(now)
        pauses.append(pace.due - now)
        now = pace.due

    assert pauses == pytest.approx([*PAUSES, PAUSES[-1], PAUSES[-1]])


def test_a_settled_mail_ends_the_pauses():
    pace = Pace()
    pace.failed(100.0)
    pace.failed(101.0)

    pace.settled(102.0, rest=False)

    assert (pace.due, pace.failures) == (0.0, 0)
    pace.failed(103.0)
    assert pace.due == 103.0 + PAUSES[0]


def test_after_a_round_there_is_a_rest_unless_somebody_waits():
    pace = Pace()
    pace.settled(100.0, rest=True)
    assert pace.due == 100.0 + REST

    pace.hurry(105.0)
    assert pace.due == 0.0
    pace.settled(101.0, rest=True)
    assert pace.due == 0.0
    pace.settled(106.0, rest=True)
    assert pace.due == 106.0 + REST


def test_while_somebody_waits_pauses_are_short():
    pace, now = Pace(), 100.0
    for _ in range(len(PAUSES)):
        pace.failed(now)
    pace.hurry(110.0)

    pace.failed(101.0)
    assert 101.0 < pace.due < 102.0
    pace.failed(111.0)
    assert pace.due == 111.0 + PAUSES[-1]


def test_an_earlier_end_does_not_shorten_the_hurry():
    pace = Pace()
    pace.hurry(110.0)
    pace.hurry(105.0)

    assert pace.is_hurried(109.0)
    assert not pace.is_hurried(110.0)


def test_a_relay_is_away_when_it_has_failed_for_long():
    pace = Pace()
    assert not pace.is_away(1e9)
    pace.failed(100.0)
    assert not pace.is_away(100.0 + AWAY / 2)
    pace.failed(100.0 + AWAY)
    assert pace.is_away(100.0 + AWAY)
    pace.settled(100.0 + AWAY, rest=False)
    assert not pace.is_away(200.0)


def test_a_mail_deferred_too_often_is_refused_and_the_next_one_starts_anew():
    pace = Pace()
    judged: list[Outcome] = []
    while not judged or judged[-1] is Outcome.DEFERRED:
        judged.append(pace.judge(Outcome.DEFERRED))
    assert len(judged) >= 20
    assert judged[-1] is Outcome.REFUSED

    pace.settled(100.0, rest=False)
    assert pace.judge(Outcome.DEFERRED) is Outcome.DEFERRED


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.LOST])
def test_every_other_outcome_is_what_it_is(outcome):
    pace = Pace()

    assert [pace.judge(outcome) for _ in range(100)] == [outcome] * 100
