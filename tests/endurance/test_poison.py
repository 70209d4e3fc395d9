"""Hostile mails, and the slowest texts for each regular expression: each is one report, and nothing hangs."""

from __future__ import annotations

import re
from functools import partial

import pytest

from tests.endurance import regex_attacks
from tests.endurance.poisons import POISONS

TIME_LIMIT = 60.0
"""Seconds of processor time after which a pattern counts as endless backtracking."""
ATTACKS_PER_PATTERN = 4
"""Attacks on one pattern; `tests/endurance/poison.py` has all of them, with the length of a mail."""
ATTACKS = regex_attacks.attacks_by_pattern(500)
MODULES = sorted({place.rpartition(".")[0] for place in ATTACKS})


def test_every_pattern_of_the_relay_is_attacked():
    """Also those in tables and in objects of our own classes."""
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
    assert any(regex_attacks.processor_seconds(partial(pattern.search, attack), 0.5) == 0.5 for attack in attacks)


@pytest.mark.parametrize("module", MODULES)
def test_mail_with_an_attack_on_a_pattern_is_processed_in_time(module):
    for place, texts in ATTACKS.items():
        if place.rpartition(".")[0] == module:
            for text in texts[:ATTACKS_PER_PATTERN]:
                assert regex_attacks.cost(text, TIME_LIMIT) < TIME_LIMIT, (place, text[:60])


@pytest.mark.parametrize("name", POISONS)
def test_poison_is_processed_as_one_error(name):
    regex_attacks.process_mail(POISONS[name]())
