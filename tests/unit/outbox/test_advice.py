"""What an administrator is advised to do about each failure of the upstream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from relay.model import Failure, RecipientReply, UpstreamState, Verdict
from relay.outbox.advice import advice_on, finding

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("next_letter_at", "said"),
    [(None, "with the next letter"), (NOW, "now"), (NOW + 2 * HOUR, "2026-03-01 14:00:00 UTC")],
)
def test_the_next_try_is_that_of_the_next_letter(next_letter_at, said):
    state = UpstreamState(failure=Failure.REFUSED, detail="localhost:25: 450 4.7.1 slow down (at RCPT)")

    assert finding(state, name="x", next_letter_at=next_letter_at, now=NOW).words.endswith(f"; next try {said}")


@pytest.mark.parametrize(
    ("code", "text", "step", "said"),
    [
        (0, "no word", "the content", "it may have arrived all the same"),
        (0, "no answer at MAIL within 30 s", "", "it waits for the upstream"),
        (0, "no answer at RCPT within 30 s", "RCPT", "`admins` and the routes"),
        (451, "4.7.1 greylisted", "RCPT", "nothing, unless it goes on"),
        (550, "5.1.1 who?", "RCPT", "`admins` and the routes"),
        (552, "5.2.2 mailbox full", "RCPT", "`admins` and the routes"),
        (550, "5.7.1 not you", "MAIL", "`sender`"),
        (552, "5.3.4 too big", "MAIL", "[digest] max_size"),
        (554, "5.7.1 spam", "the content", "ask its administrator"),
    ],
)
def test_each_refusal_of_a_letter_comes_with_advice(code, text, step, said):
    verdict = Verdict.PERMANENT if code >= 500 else Verdict.TEMPORARY

    assert said in advice_on(RecipientReply(verdict=verdict, code=code, text=text, step=step))
