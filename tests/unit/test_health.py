"""What /livez and /readyz say, judged from values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.ledger import Tally
from relay.model import Trouble, UpstreamState
from relay.web.health import Vitals, alive, ready

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALLY = Tally(groups=3, groups_pending=1, letters_open=0, letters_dead=0, parked=0)
WELL = Vitals(
    turns={"sorting": 0.1, "delivery": 0.2}, longest_delivery=90.0, unsorted=0, receiver_seen_at=NOW, receiver={}
)


def verdicts(vitals=WELL, upstream=None, tally=TALLY, host="mail.example.com"):
    return {check.name: check for check in ready(vitals, upstream or UpstreamState(), tally, host=host, now=NOW)}


def test_all_is_well_when_everything_turns():
    assert all(check.ok for check in verdicts().values())


def test_a_thread_that_does_nothing_for_a_minute_is_dead():
    sorting, delivery = alive(replace(WELL, turns={"sorting": 61.0, "delivery": 61.0}))

    assert not sorting.ok
    assert delivery.ok  # a delivery may take its time


def test_a_delivery_that_takes_longer_than_any_can_is_dead():
    [delivery] = alive(replace(WELL, turns={"delivery": 151.0}))

    assert not delivery.ok


@pytest.mark.parametrize("seen_at", [None, NOW - timedelta(seconds=31)])
def test_without_a_receiver_it_is_not_ready(seen_at):
    assert not verdicts(replace(WELL, receiver_seen_at=seen_at))["receiver"].ok


@pytest.mark.parametrize("trouble", list(Trouble))
def test_each_trouble_of_the_upstream_comes_with_advice(trouble):
    state = UpstreamState(failures=2, failing_since=NOW - timedelta(hours=1), trouble=trouble, detail="its own words")

    check = verdicts(upstream=state)["upstream"]

    assert not check.ok
    assert trouble in check.words
    assert "its own words" in check.words
    assert "2026-03-01 11:00:00 UTC" in check.words


def test_without_an_upstream_it_is_ready_and_says_plainly_where_digests_go():
    check = verdicts(host="")["upstream"]

    assert check.ok
    assert "local mailbox" in check.words


def test_dead_letters_are_told_without_calling_it_unready():
    check = verdicts(tally=replace(TALLY, letters_dead=2))["outbox"]

    assert check.ok
    assert "2 dead" in check.words
