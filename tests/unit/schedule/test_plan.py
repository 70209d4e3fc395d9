"""The forecast that `relay plan` prints: a simulation of the digest step."""

from dataclasses import replace

import pytest

from relay.model import Budget, BudgetState, Group, Level, Phase, Reason, Route, RouteState
from relay.schedule.group import mute
from relay.schedule.plan import RouteQueue, plan
from relay.schedule.route import due_digest
from tests.support.scheduled_groups import HOUR, MINUTE, NOON, SECOND, TIMING, again, fresh, known, ongoing

ANN, BOB = "ann@example.com", "bob@example.com"
LIMITS = Budget(per_hour=2, burst=3)
EMPTY = BudgetState(tokens=1.0, at=NOON, day="2026-03-02", sent_today=2, exhausted_since=NOON)
"""A budget that allows the next mail in half an hour, and one for a CRITICAL error at once."""


def queue(*groups: Group, state=None, to=(ANN,), name="admins", **values) -> RouteQueue:
    return RouteQueue(route=Route(name=name, recipients=to), groups=groups, state=state or RouteState(), **values)


def planned(*queues: RouteQueue, budgets=None, limits=None):
    return plan(queues, now=NOON, limits=limits or Budget(), budgets=budgets)


def forecast(group: Group, state: RouteState | None = None):
    (found,) = planned(queue(group, state=state))
    return found


@pytest.mark.parametrize(
    ("group", "at", "words"),
    [
        (fresh(1, count=1200), NOON + 10 * SECOND, "new: 1,200 pending, due 10 s after the first"),
        (ongoing(1, NOON), NOON + 5 * MINUTE, "ongoing: 1 pending, due 5 min after the last report"),
        (again(), NOON + 10 * MINUTE, "again after it had ended: 3 pending, due at least 10 min after the last report"),
        (
            ongoing(1, NOON + 6 * MINUTE, count=50),
            NOON + 6 * MINUTE + 10 * SECOND,
            "spike: 50 pending, at least 10 times the last reported rate",
        ),
        (
            replace(fresh(1), seen_before=NOON - 48 * HOUR),
            NOON + 10 * SECOND,
            "back after a long quiet period: 1 pending, due 10 s after the first",
        ),
        (
            known(1, NOON + 10 * SECOND, count=7412),
            NOON + 15 * MINUTE,
            "closing total of 7,412, due after 15 min of quiet",
        ),
        (
            known(1),
            None,
            "nothing pending; the closing total (1) is included in the next digest of another error",
        ),
        (replace(known(1), phase=Phase.ENDED), None, "nothing pending: it has ended"),
        (
            mute(fresh(1), NOON + HOUR, TIMING, now=NOON),
            NOON + HOUR,
            "muted; then new: 1 pending, due 10 s after the first",
        ),
    ],
)
def test_forecast_says_when_and_why(group, at, words):
    found = forecast(group)

    assert (found.at, found.words) == (at, words)


def test_forecast_includes_the_interval_of_the_route():
    known_error = ongoing(1, NOON - MINUTE, reported=NOON - 6 * MINUTE)
    found = forecast(known_error, RouteState(last_digest_at=NOON - MINUTE))

    assert found.at == NOON + 4 * MINUTE
    assert found.words.endswith(", in the route's next digest (at least 5 min after the last one)")


def test_forecast_of_a_new_error_includes_the_gap_between_news():
    found = forecast(fresh(1), RouteState(last_digest_at=NOON, last_news_at=NOON, news_step=3))

    assert found.at == NOON + 2 * MINUTE
    assert found.words.endswith(", in the route's next digest (at least 2 min after the last one with news)")


def test_forecast_of_a_critical_error_ignores_the_gaps():
    state = RouteState(last_digest_at=NOON, last_news_at=NOON, news_step=4)

    assert forecast(fresh(1, level=Level.CRITICAL), state).at == NOON + 10 * SECOND


def test_plan_has_the_next_one_first_and_errors_that_the_digest_includes_early_with_it():
    """The digest about error 3 includes what error 4 has so far. The ongoing error waits for its own time."""
    forecasts = planned(queue(ongoing(2, NOON), fresh(3), fresh(4, NOON + 5 * SECOND)))

    assert [(found.group.id, found.at) for found in forecasts] == [
        (3, NOON + 10 * SECOND),
        (4, NOON + 10 * SECOND),
        (2, NOON + 5 * MINUTE + 10 * SECOND),
    ]
    assert forecasts[1].words.endswith(", included early in the digest of another error")


def test_closing_total_that_another_digest_includes_has_its_time():
    quiet = known(1, NOON - HOUR, count=7)
    early = {found.group.id: found for found in planned(queue(quiet, fresh(2)))}[1]

    assert (early.at, early.reason) == (NOON + 10 * SECOND, Reason.ENDED)


def test_forecast_comes_true():
    """The group is reported at the forecast time and not a second before."""
    state = RouteState(last_digest_at=NOON - MINUTE)
    for group in (fresh(1), ongoing(1, NOON), again(), known(1, count=500)):
        found = forecast(group, state)
        assert found.at is not None
        assert due_digest("admins", [group], state=state, timing=TIMING, now=found.at - SECOND) is None
        chosen = due_digest("admins", [group], state=state, timing=TIMING, now=found.at)
        assert chosen is not None
        assert chosen.groups == ((group, found.reason),)


# --- What holds mail back ---------------------------------------------------------------------------------------------


def test_error_that_the_budget_holds_back_is_planned_for_the_time_of_the_next_mail():
    (found,) = planned(queue(fresh(1)), budgets={ANN: EMPTY}, limits=LIMITS)

    assert found.at == NOON + 30 * MINUTE
    assert found.words.endswith(f", held by the budget of {ANN} (2 mails an hour, 300 a day)")


def test_critical_error_is_planned_with_the_token_that_is_reserved_for_it():
    forecasts = planned(
        queue(fresh(1), fresh(2, NOON + MINUTE, level=Level.CRITICAL)), budgets={ANN: EMPTY}, limits=LIMITS
    )

    assert {found.group.id: found.at for found in forecasts} == dict.fromkeys((1, 2), NOON + 70 * SECOND)


def test_each_digest_of_the_plan_takes_from_the_budget():
    """Both routes have the same recipient. The budget allows one mail now, and one more half an hour later."""
    budget = replace(EMPTY, tokens=2.0, exhausted_since=None)
    forecasts = planned(queue(fresh(1)), queue(fresh(2), name="night"), budgets={ANN: budget}, limits=LIMITS)

    first, second = (found.at for found in forecasts)
    assert first == NOON + 10 * SECOND
    assert NOON + 29 * MINUTE < second <= NOON + 30 * MINUTE


def test_recipient_whose_budget_is_used_up_gets_it_later_than_the_others():
    (found,) = planned(queue(fresh(1), to=(ANN, BOB)), budgets={ANN: EMPTY}, limits=LIMITS)

    assert found.at == NOON + 10 * SECOND
    assert found.later == ((ANN, NOON + 30 * MINUTE),)


def test_error_waits_until_the_message_before_it_is_delivered():
    (found,) = planned(queue(fresh(1), busy={ANN: NOON + HOUR}))

    assert found.at == NOON + HOUR
    assert found.words.endswith(", after the message before it is delivered")


def test_daily_limit_holds_until_midnight():
    spent = replace(EMPTY, tokens=3.0, sent_today=300)
    (found,) = planned(queue(fresh(1)), budgets={ANN: spent}, limits=LIMITS)

    assert found.at == NOON + 12 * HOUR


def test_plan_of_very_many_errors_ends():
    forecasts = planned(queue(*(fresh(number, NOON + number * SECOND) for number in range(1000))))

    assert len(forecasts) == 1000
