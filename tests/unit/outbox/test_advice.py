"""The advice that an administrator gets about each failure of the upstream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Delayed, Failure, RecipientReply, UpstreamState, Verdict
from relay.outbox.advice import ADVICE, advice_on, describe_delays, upstream_health

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_every_failure_has_advice():
    assert set(ADVICE) == set(Failure)


@pytest.mark.parametrize(
    ("next_message_at", "shown"),
    [(None, "with the next message"), (NOW, "now"), (NOW + 2 * HOUR, "2026-03-01 14:00:00 UTC")],
)
def test_next_try_is_the_time_of_the_next_message(next_message_at, shown):
    state = UpstreamState(failure=Failure.REFUSED, detail="localhost:25: 450 4.7.1 slow down (at RCPT)")

    health = upstream_health(state, name="x", next_message_at=next_message_at, now=NOW, zone=UTC)

    assert health.sentence.endswith(f"; next try {shown}")


@pytest.mark.parametrize(("recipients", "verb"), [(1, "bob has been"), (3, "bob and 2 more have been")])
def test_delays_name_the_first_recipient_and_count_the_others(recipients, verb):
    delayed = Delayed(recipient="bob", since=NOW, code=450, text="4.2.1 over quota", next_try_at=NOW + HOUR)

    assert describe_delays([], UTC) == ""
    assert describe_delays([delayed] * recipients, UTC).startswith(
        f"{verb} waiting for a digest since 2026-03-01 12:00:00 UTC: 450 4.2.1 over quota; "
    )


@pytest.mark.parametrize(
    ("code", "text", "step", "advice"),
    [
        (0, "no reply in time", "the end of DATA", "the mail may have been delivered"),
        (0, "no reply at MAIL within 30 s", "", "the mail waits for the upstream"),
        (0, "no reply at RCPT within 30 s", "RCPT", "`admins` and the routes"),
        (451, "4.7.1 greylisted", "RCPT", "nothing to do unless it continues"),
        (550, "5.1.1 who?", "RCPT", "`admins` and the routes"),
        (552, "5.2.2 mailbox full", "RCPT", "make room"),
        (550, "5.7.1 not you", "MAIL", "`sender`"),
        (552, "5.3.4 too big", "MAIL", "[digest] max_size"),
        (554, "5.7.1 spam", "the end of DATA", "ask the server's administrator"),
    ],
)
def test_each_refusal_of_a_message_has_advice(code, text, step, advice):
    verdict = Verdict.PERMANENT if code >= 500 else Verdict.TEMPORARY

    assert advice in advice_on(RecipientReply(verdict=verdict, code=code, text=text, step=step))
