"""Poison over SMTP: the relay as it is run takes it, sorts it or parks it, and goes on with the next mail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.endurance.poison_over_smtp import TAKEN, TOO_LARGE, at_work, poisoned
from tests.endurance.poisons import POISONS
from tests.support.processes import Relay, wait_for
from tests.support.upstream import Upstream

pytestmark = pytest.mark.e2e

EVERY = 9
"""The suite sends every ninth of them; `python -m tests.endurance.poison --relay` sends all."""


def test_poison_is_ingested_or_parked_and_the_next_mail_is_ingested(
    make_relay: Callable[..., Relay], upstream: Upstream
):
    names = list(POISONS)[::EVERY]
    with make_relay() as relay:
        worker = at_work(relay)
        fates = [poisoned(relay, name) for name in names]
        wait_for(lambda: relay.status()["pending"] == 0, "all to be told")
        status = relay.status()
        same = relay.child("worker") == worker

    answers = [fate.answer for fate in fates]
    assert set(answers) <= {TAKEN, TOO_LARGE}
    assert answers.count(TOO_LARGE) <= 1
    assert status["received"] == len(names) + answers.count(TAKEN)
    assert (status["balanced"], status["undelivered"], status["spooled_unsorted"]) == (True, 0, 0)
    assert status["reported"] + status["parked"] + status["ignored"] == status["received"]
    assert same, "a poison ended the worker"
    assert upstream.mails
