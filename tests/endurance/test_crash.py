"""Kills under load, at failpoints and at random: each mail that got 250 is reported exactly once."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable

import pytest

from tests.endurance.kills import POINTS, ROLES, ProcessKiller
from tests.support.books import final_balance
from tests.support.paths import ROOT
from tests.support.processes import Relay
from tests.support.senders import sending
from tests.support.upstream import Upstream

SAMPLE_EVERY = 4
"""The suite takes every fourth failpoint; `make crash` takes all of them many times."""


@pytest.mark.e2e
def test_every_mail_that_got_250_is_reported_once_whatever_is_killed(
    make_relay: Callable[..., Relay], upstream: Upstream
):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    relay = make_relay()
    killer = ProcessKiller(relay, rng)
    relay.start()
    with sending(relay) as senders:
        for number, point in enumerate(list(POINTS)[seed % SAMPLE_EVERY :: SAMPLE_EVERY]):
            killer.kill_at(point)
            killer.kill_at_random(ROLES[number % len(ROLES)])
            if number == 1:
                upstream.stop()
            if number == 3:
                upstream.start()
    found = final_balance(relay, upstream, senders)
    relay.stop()
    print(found, killer.kills, killer.missed)

    assert sum(killer.kills.values()) >= 10
    assert all(len(sender.accepted) > 20 for sender in senders)
    assert (found.lost, found.counted_twice, found.not_reported, found.balanced) == (0, 0, 0, True)


def test_every_failpoint_is_killed_at():
    """And each name occurs at one place only."""
    named = [
        str(node.args[0].value)
        for file in (ROOT / "relay").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "reach"
        and isinstance(node.args[0], ast.Constant)
    ]

    assert sorted(named) == sorted(POINTS)
