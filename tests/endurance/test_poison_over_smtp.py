"""Poison over SMTP: a real relay accepts it, ingests or parks it, and goes on with the next mail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.endurance.poison_over_smtp import ACCEPTED, TOO_LARGE, send_poison, wait_for_worker
from tests.endurance.poisons import POISONS
from tests.support.processes import Relay, wait_for
from tests.support.upstream import Upstream

pytestmark = pytest.mark.e2e

SAMPLE_EVERY = 9
"""The suite sends every ninth poison; `python -m tests.endurance.poison --relay` sends all of them."""


def test_poison_is_ingested_or_parked_and_the_next_mail_is_ingested(
    make_relay: Callable[..., Relay], upstream: Upstream
):
    names = list(POISONS)[::SAMPLE_EVERY]
    with make_relay() as relay:
        worker = wait_for_worker(relay)
        results = [send_poison(relay, name) for name in names]
        wait_for(lambda: relay.status()["pending"] == 0, "all mails to be reported")
        status = relay.status()
        same = relay.child("worker") == worker

    replies = [result.reply for result in results]
    assert set(replies) <= {ACCEPTED, TOO_LARGE}
    assert replies.count(TOO_LARGE) <= 1
    assert status["received"] == len(names) + replies.count(ACCEPTED)
    assert (status["balanced"], status["undelivered"], status["spooled_unsorted"]) == (True, 0, 0)
    assert status["reported"] + status["parked"] + status["ignored"] == status["received"]
    assert same, "a poison ended the worker"
    assert upstream.mails
