"""The checks of /livez and /readyz, judged from values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from relay.ledger import Tally
from relay.model import Cause, Delayed, Failure, UpstreamState
from relay.outbox.advice import ADVICE, REPLY_ADVICE
from relay.web.health import Vitals, alive, ready

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALLY = Tally(groups=3, groups_pending=1, messages_open=0, messages_dead=0, parked=0)
HEALTHY = Vitals(
    idle_seconds={"sorting": 0.1, "delivery": 0.2},
    longest_delivery=90.0,
    backlog=0,
    receiver_seen_at=NOW,
    receiver_counters={},
)


def verdicts(vitals=HEALTHY, upstream=None, tally=TALLY, host="mail.example.com", delayed=(), zone=UTC):
    state = upstream if upstream is not None else UpstreamState(last_success_at=NOW, checked_at=NOW)
    found = ready(vitals, state, tally, host=host, now=NOW, zone=zone, next_try_at=NOW, delayed=delayed)
    return {check.name: check for check in found}


def test_all_checks_are_ok_when_all_threads_run():
    assert all(check.ok for check in verdicts().values())


def test_thread_that_does_nothing_for_a_minute_is_stuck():
    ingest, delivery = alive(replace(HEALTHY, idle_seconds={"sorting": 61.0, "delivery": 61.0}))

    assert not ingest.ok
    assert delivery.ok  # one delivery may take longer


def test_delivery_that_exceeds_the_longest_possible_one_is_stuck():
    [delivery] = alive(replace(HEALTHY, idle_seconds={"delivery": 151.0}))

    assert not delivery.ok


@pytest.mark.parametrize("seen_at", [None, NOW - timedelta(seconds=31)])
def test_relay_without_receiver_is_not_ready(seen_at):
    assert not verdicts(replace(HEALTHY, receiver_seen_at=seen_at))["receiver"].ok


HOUR = timedelta(hours=1)


def test_every_time_is_in_the_one_configured_zone():
    """A receiver that fell silent, a failing upstream, a recipient who waits: three sources, one zone."""
    silent = replace(HEALTHY, receiver_seen_at=NOW - HOUR)
    failing = UpstreamState(failing_since=NOW - HOUR, next_try_at=NOW + HOUR, failure=Failure.AUTH, detail="535 no")
    waits = Delayed(recipient="bob", since=NOW - HOUR, code=450, text="later", next_try_at=NOW + HOUR)

    checks = verdicts(silent, failing, delayed=[waits], zone=ZoneInfo("America/Sao_Paulo"))

    assert checks["receiver"].text == "has been silent since 2026-03-01 08:00:00 UTC-03"
    for name in ("upstream", "outbox"):
        assert "since 2026-03-01 08:00:00 UTC-03" in checks[name].text
        assert checks[name].text.count("next try 2026-03-01 10:00:00 UTC-03") == 1


@pytest.mark.parametrize("failure", list(Failure))
def test_each_failure_of_the_upstream_comes_with_advice_and_the_next_attempt(failure):
    state = UpstreamState(
        failures=2, failing_since=NOW - HOUR, next_try_at=NOW + HOUR, failure=failure, detail="its own words"
    )

    check = verdicts(upstream=state, host="" if failure is Failure.MAILBOX else "mail.example.com")["upstream"]

    assert not check.ok
    assert check.text == (
        f"{failure} since 2026-03-01 11:00:00 UTC (its own words); {ADVICE[failure]}; next try 2026-03-01 13:00:00 UTC"
    )


def test_recipient_who_did_not_get_the_last_message_is_named_and_the_relay_stays_ready():
    state = UpstreamState(last_success_at=NOW, detail="not for bob@example.com: 550 5.1.1 who? (at RCPT)")

    check = verdicts(upstream=state)["upstream"]

    assert check.ok
    assert "not for bob@example.com: 550 5.1.1 who? (at RCPT)" in check.text
    assert "check this address in `admins`" in check.text


def test_upstream_that_was_never_tried_is_unknown_and_not_ready():
    check = verdicts(upstream=UpstreamState())["upstream"]

    assert not check.ok
    assert check.text.startswith("mail.example.com: unknown, never tried by this relay")


def test_upstream_that_was_only_checked_is_ready_and_the_text_claims_no_mail():
    check = verdicts(upstream=UpstreamState(checked_at=NOW - HOUR, last_try_at=NOW - HOUR))["upstream"]

    assert check.ok
    assert check.text == "mail.example.com: connection and login worked at 2026-03-01 11:00:00 UTC; no mail sent yet"


def test_upstream_that_was_checked_after_the_last_mail_shows_both_times():
    check = verdicts(upstream=UpstreamState(last_success_at=NOW - 2 * HOUR, checked_at=NOW - HOUR))["upstream"]

    assert check.ok
    assert "accepted the last mail at 2026-03-01 10:00:00 UTC; connection and login worked at 2026" in check.text


def test_relay_without_upstream_is_ready_and_says_where_digests_go():
    check = verdicts(host="")["upstream"]

    assert check.ok
    assert "local mailbox" in check.text


def delayed_recipient(recipient, code=450, text="4.2.1 over quota"):
    return Delayed(recipient=recipient, since=NOW - HOUR, code=code, text=text, next_try_at=NOW + HOUR)


def test_recipient_who_waits_for_a_digest_is_named_with_the_reply_of_the_upstream():
    check = verdicts(tally=replace(TALLY, messages_open=1), delayed=[delayed_recipient("bob@example.com")])["outbox"]

    assert check.ok
    assert check.text == (
        "1 open; bob@example.com has been waiting for a digest since 2026-03-01 11:00:00 UTC: "
        f"450 4.2.1 over quota; {REPLY_ADVICE[Cause.MAILBOX_FULL]}; next try 2026-03-01 13:00:00 UTC"
    )


def test_delay_without_a_reply_code_is_shown_without_one():
    check = verdicts(
        delayed=[
            delayed_recipient("bob@example.com", code=0, text="no answer at RCPT within 30 s"),
            delayed_recipient("x@y.z"),
        ]
    )

    assert "bob@example.com and 1 more have been waiting for a digest" in check["outbox"].text
    assert "UTC: no answer at RCPT within 30 s;" in check["outbox"].text


def test_dead_letters_are_shown_and_the_relay_stays_ready():
    check = verdicts(tally=replace(TALLY, messages_dead=2))["outbox"]

    assert check.ok
    assert "2 dead" in check.text
