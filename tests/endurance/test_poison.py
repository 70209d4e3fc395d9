"""The worst mails, and the worst texts for each regular expression: each is one report, and nothing hangs."""

from __future__ import annotations

import re
from functools import partial

import pytest

from tests.endurance import regex_attacks
from tests.endurance.poisons import POISONS

PATIENCE = 60.0
"""Seconds of processor time after which a pattern goes back and back for ever."""
MOST = 4
"""Attacks on one pattern; `tests/endurance/poison.py` has all, at the length of a mail."""
ATTACKS = regex_attacks.attacks_by_pattern(500)
KINDS = sorted({place.rpartition(".")[0] for place in ATTACKS})


def test_every_pattern_of_the_relay_is_attacked():
    """Also those that stand in tables and in objects of our own."""
    places = set(regex_attacks.patterns())

    assert len(places) > 200
    for package in (
        "parse.mime", "parse.layouts", "parse.situations", "parse.report", "traces", "redact", "parameterize.template",
        "parameterize.replacements", "parameterize.arguments", "receive",
    ):  # fmt: skip
        assert any(place.startswith(f"relay.{package}.") for place in places), package


@pytest.mark.parametrize("text", [r"(?:a+)+!", r"(?:\w\w?)+$", r"x(?:\s*,?)*y", r"^(?:[^<]+|<a)*>"])
def test_attacks_find_a_pattern_with_catastrophic_backtracking(text):
    pattern = re.compile(text)

    attacks = regex_attacks.attacks(pattern, 60)
    assert any(regex_attacks.spent(partial(pattern.search, attack), 0.5) == 0.5 for attack in attacks)


@pytest.mark.parametrize("module", KINDS)
def test_mail_with_an_attack_on_a_pattern_is_processed_in_time(module):
    for place, texts in ATTACKS.items():
        if place.rpartition(".")[0] == module:
            for text in texts[:MOST]:
                assert regex_attacks.cost(text, PATIENCE) < PATIENCE, (place, text[:60])


@pytest.mark.parametrize("name", POISONS)
def test_poison_is_processed_as_one_error(name):
    regex_attacks.understand(POISONS[name]())
