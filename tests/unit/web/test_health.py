"""What /livez and /readyz say, judged from values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relay.ledger import Tally
from relay.model import Delayed, Failure, UpstreamState
from relay.outbox.advice import ADVICE
from relay.web.health import Vitals, alive, ready

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALLY = Tally(groups=3, groups_pending=1, messages_open=0, messages_dead=0, parked=0)
WELL = Vitals(
    turns={"sorting": 0.1, "delivery": 0.2}, longest_delivery=90.0, unsorted=0, receiver_seen_at=NOW, receiver={}
)


def verdicts(vitals=WELL, upstream=None, tally=TALLY, host="mail.example.com", delayed=()):
    state = upstream or UpstreamState()
    found = ready(vitals, state, tally, host=host, now=NOW, next_message_at=NOW, delayed=delayed)
    return {check.name: check for check in found}


def test_all_is_well_when_everything_turns():
    assert all(check.ok for check in verdicts().values())


def test_a_thread_that_does_nothing_for_a_minute_is_dead():
    ingesting, delivery = alive(replace(WELL, turns={"sorting": 61.0, "delivery": 61.0}))

    assert not ingesting.ok
    assert delivery.ok  # a delivery may take its time


def test_a_delivery_that_takes_longer_than_any_can_is_dead():
    [delivery] = alive(replace(WELL, turns={"delivery": 151.0}))

    assert not delivery.ok


@pytest.mark.parametrize("seen_at", [None, NOW - timedelta(seconds=31)])
def test_without_a_receiver_it_is_not_ready(seen_at):
    assert not verdicts(replace(WELL, receiver_seen_at=seen_at))["receiver"].ok


HOUR = timedelta(hours=1)


@pytest.mark.parametrize("trouble", list(Failure))
def test_each_trouble_of_the_upstream_comes_with_advice_and_the_next_try(trouble):
    state = UpstreamState(
        failures=2, failing_since=NOW - HOUR, next_try_at=NOW + HOUR, failure=trouble, detail="its own words"
    )

    check = verdicts(upstream=state, host="" if trouble is Failure.MAILBOX else "mail.example.com")["upstream"]

    assert not check.ok
    assert check.words == (
        f"{trouble} since 2026-03-01 11:00:00 UTC (its own words); {ADVICE[trouble]}; next try 2026-03-01 13:00:00 UTC"
    )


def test_who_alone_did_not_get_the_last_letter_is_told_without_calling_it_unready():
    state = UpstreamState(last_success_at=NOW, detail="not for bob@example.com: 550 5.1.1 who? (at RCPT)")

    check = verdicts(upstream=state)["upstream"]

    assert check.ok
    assert "not for bob@example.com: 550 5.1.1 who? (at RCPT)" in check.words
    assert ADVICE[Failure.REFUSED] in check.words


def test_what_befell_the_mailbox_says_nothing_of_an_upstream_and_the_other_way_round():
    mailbox, elsewhere = UpstreamState(failure=Failure.MAILBOX), UpstreamState(failure=Failure.AUTH)

    assert verdicts(upstream=mailbox)["upstream"].ok
    assert verdicts(upstream=elsewhere, host="")["upstream"].ok


def test_without_an_upstream_it_is_ready_and_says_plainly_where_digests_go():
    check = verdicts(host="")["upstream"]

    assert check.ok
    assert "local mailbox" in check.words


def late(recipient, code=450, text="4.2.1 over quota"):
    return Delayed(recipient=recipient, since=NOW - HOUR, code=code, text=text, next_try_at=NOW + HOUR)


def test_who_waits_for_a_digest_while_others_get_theirs_is_told_with_the_upstreams_word():
    check = verdicts(tally=replace(TALLY, messages_open=1), delayed=[late("bob@example.com")])["outbox"]

    assert check.ok
    assert check.words == (
        "1 under way; bob@example.com has been waiting for a digest since 2026-03-01 11:00:00 UTC: "
        f"450 4.2.1 over quota; {ADVICE[Failure.REFUSED]}; next try 2026-03-01 13:00:00 UTC"
    )


def test_a_word_without_a_code_is_told_without_one():
    check = verdicts(delayed=[late("bob@example.com", code=0, text="no answer at RCPT within 30 s"), late("x@y.z")])

    assert "bob@example.com and 1 more have been waiting for a digest" in check["outbox"].words
    assert "UTC: no answer at RCPT within 30 s;" in check["outbox"].words


def test_dead_letters_are_told_without_calling_it_unready():
    check = verdicts(tally=replace(TALLY, messages_dead=2))["outbox"]

    assert check.ok
    assert "2 dead" in check.words
