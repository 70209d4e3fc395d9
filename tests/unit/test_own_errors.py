"""The grouping on errors of programs that its rules were not developed with (tests/data/grouping)."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from relay.fingerprint import fingerprint
from relay.parse import parse_text
from relay.redact import redact

OWN = Path(__file__).parents[1] / "data" / "grouping" / "own.jsonl"
APART = {"reminder.timeout"}
"""Python 3.8 reports another chain there; see the README beside the data."""
MAILS = [json.loads(line) for line in OWN.read_text(encoding="utf-8").splitlines()]
CORE = [mail for mail in MAILS if mail["variant"] != "pyver_hard"]


def key_of(mail):
    return fingerprint(redact(parse_text(mail["subject"], mail["text"]))).key


def pairs(sizes):
    return sum(size * (size - 1) // 2 for size in sizes)


def f1(mails):
    """Of all pairs of mails: how many that belong together are together, and the other way round."""
    both = pairs(Counter((mail["label"], key_of(mail)) for mail in mails).values())
    labelled, found = (pairs(Counter(map(by, mails)).values()) for by in (lambda mail: mail["label"], key_of))
    return 2 * both / (labelled + found)


def grouping_accuracy(mails):
    """The share of mails whose group holds exactly the mails of their error."""
    labels, groups = defaultdict(set), defaultdict(set)
    for mail in mails:
        labels[mail["label"]].add(mail["id"])
        groups[key_of(mail)].add(mail["id"])
    return sum(len(group) for group in groups.values() if group in labels.values()) / len(mails)


def test_there_are_a_hundred_mails_of_fifteen_programs():
    assert len(MAILS) >= 100
    assert len({mail["label"].partition(".")[0] for mail in MAILS}) >= 15


def test_errors_of_strange_programs_are_told_apart_and_put_together():
    assert f1(CORE) >= 0.989
    assert grouping_accuracy(CORE) >= 0.983


def test_with_other_versions_of_python_only_the_known_ones_fall_apart():
    keys = defaultdict(set)
    for mail in MAILS:
        keys[mail["label"]].add(key_of(mail))

    assert {label for label, found in keys.items() if len(found) > 1} == APART


def test_no_two_errors_share_a_fingerprint():
    labels = defaultdict(set)
    for mail in MAILS:
        labels[key_of(mail)].add(mail["label"])

    assert all(len(found) == 1 for found in labels.values())
