"""Kills under load, at named points and at random, with an upstream that comes and goes: what got 250 is told once."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable

import pytest

from tests.endurance.kills import POINTS, ROLES, ProcessKiller
from tests.support.books import summed_up
from tests.support.paths import ROOT
from tests.support.processes import Relay
from tests.support.senders import sending
from tests.support.upstream import Upstream

EVERY = 4
"""One run of the suite takes every fourth point; `make crash` takes them all, many times over."""


@pytest.mark.e2e
def test_every_mail_that_got_250_is_reported_once_whatever_is_killed(
    make_relay: Callable[..., Relay], upstream: Upstream
):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    relay = make_relay()
    killer = ProcessKiller(relay, chance)
    relay.start()
    with sending(relay) as senders:
        for number, point in enumerate(list(POINTS)[seed % EVERY :: EVERY]):
            killer.at(point)
            killer.at_random(ROLES[number % len(ROLES)])
            if number == 1:
                upstream.stop()
            if number == 3:
                upstream.start()
    found = summed_up(relay, upstream, senders)
    relay.stop()
    print(found, killer.kills, killer.missed)

    assert sum(killer.kills.values()) >= 10
    assert all(len(sender.accepted) > 20 for sender in senders)
    assert (found.lost, found.twice, found.aside, found.balanced) == (0, 0, 0, True)


def test_every_failpoint_is_killed_at():
    """And each name stands at one place."""
    named = [
        str(node.args[0].value)
        for file in (ROOT / "relay").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "reach"
        and isinstance(node.args[0], ast.Constant)
    ]

    assert sorted(named) == sorted(POINTS)
