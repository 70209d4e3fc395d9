"""The grouping on errors of programs that its rules were not developed with (tests/data/grouping)."""

from collections import defaultdict

import pytest

from tests.grouping import FILES, Scored

APART = {
    "own.jsonl": {"reminder.timeout"},
    "wide.jsonl": {
        "bakery.deliver", "choir.sing", "choir.sing.type", "choir.sing.msg", "choir.sing.func",
        "alert.chat.flood", "alert.chat.flood.msg", "alert.sys.sudo", "alert.sys.sudo.msg", "alert.sys.cron.msg",
        "alert.quoted", "alert.quoted.msg",
        "alert.later.s3", "alert.later.french.site", "alert.later.mqtt", "alert.later.mqtt.msg",
    },
}  # fmt: skip
"""Errors that fall apart; the README beside the data says why no rule is made for them."""


LEAST = {"own.jsonl": (0.989, 0.983), "wide.jsonl": (0.985, 0.96)}


@pytest.fixture(scope="module", params=FILES)
def scored(request):
    return Scored(request.param)


def test_there_are_a_hundred_mails_of_fifteen_programs(scored):
    assert len(scored.mails) >= 100
    assert len({mail["label"].partition(".")[0] for mail in scored.mails}) >= 15


def test_errors_of_strange_programs_are_told_apart_and_put_together(scored):
    f1, accuracy = LEAST[scored.name]

    assert scored.f1() >= f1
    assert scored.grouping_accuracy() >= accuracy


def test_only_the_known_ones_fall_apart(scored):
    found = defaultdict(set)
    for mail in scored.mails:
        found[mail["label"]].add(scored.keys[mail["id"]])

    assert {label for label, keys in found.items() if len(keys) > 1} == APART[scored.name]


def test_no_two_errors_share_a_fingerprint(scored):
    labels = defaultdict(set)
    for mail in scored.mails:
        labels[scored.keys[mail["id"]]].add(mail["label"])

    assert [found for found in labels.values() if len(found) > 1] == []
