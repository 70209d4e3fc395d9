"""Accuracy of the grouping after free words were learned, on the labelled mails of tests/data/grouping."""

import json
import random
from collections import defaultdict

import pytest

from relay.ingest.batch import learn_lines
from tests.support.grouping import Scored

LEAST = {"own.jsonl": 0.975, "wide.jsonl": 0.995, "further.jsonl": 0.945, "later.jsonl": 0.955}
"""Grouping accuracy."""


@pytest.fixture(scope="module", params=[(name, seed) for name in LEAST for seed in (0, 1)], ids=str)
def learned(request):
    """A file, in its order and in a random one."""
    name, seed = request.param
    scored = Scored(name)
    mails = [*scored.mails]
    if seed:
        random.Random(seed).shuffle(mails)
    lines = (json.dumps({"id": each["id"], "subject": each["subject"], "body": each["text"]}) for each in mails)
    answers = [json.loads(line) for line in learn_lines(lines)]
    scored.keys = {answer["id"]: answer["group"] for answer in answers}
    return scored, {answer["id"]: answer["fingerprint"] for answer in answers}


def labels_by(scored, keys):
    found = defaultdict(set)
    for mail in scored.core:
        found[keys[mail["id"]]].add(mail["label"])
    return {frozenset(labels) for labels in found.values() if len(labels) > 1}


def test_learning_reaches_the_required_accuracy(learned):
    scored, _ = learned

    assert scored.grouping_accuracy() >= LEAST[scored.name]


def test_learning_merges_no_errors_that_the_fingerprint_keeps_apart(learned):
    scored, fingerprints = learned

    assert labels_by(scored, scored.keys) <= labels_by(scored, fingerprints)
