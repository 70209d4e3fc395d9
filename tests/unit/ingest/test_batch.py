"""Fingerprints of many texts at once."""

import json

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.ingest.batch import fingerprint_lines, learn_lines
from relay.parse.report import parse_text


def test_each_line_gets_the_fingerprint_of_its_mail():
    lines = [json.dumps({"id": n, "subject": "x", "body": f"Cart {n} is empty"}) + "\n" for n in range(3)]

    answers = [json.loads(line) for line in fingerprint_lines([*lines, "\n"])]

    assert [answer["id"] for answer in answers] == [0, 1, 2]
    assert {answer["fingerprint"] for answer in answers} == {fingerprint(parse_text("x", "Cart 7 is empty")).key}


@pytest.mark.parametrize("line", ["{", "[]", "{}", '"x"', "[" * 100_000])
def test_an_invalid_line_raises_an_error_with_its_number(line):
    with pytest.raises(ValueError, match="line 2 is no JSON object with id, subject and body"):
        list(fingerprint_lines([json.dumps({"id": 1}), line]))


def late_mailboxes(*names):
    return [json.dumps({"id": name, "subject": "x", "body": f"the mailbox {name} stalled tonight"}) for name in names]


def test_without_learning_nothing_of_the_output_changes():
    lines = [
        json.dumps({"id": n, "subject": "x", "body": f"the mailbox of {name} is late"}) for n, name in enumerate("ab")
    ]

    plain = [json.loads(line) for line in fingerprint_lines(lines)]
    learned = [json.loads(line) for line in learn_lines(lines)]

    assert [sorted(each) for each in plain] == [["fingerprint", "id"]] * 2
    assert [each["fingerprint"] for each in learned] == [each["fingerprint"] for each in plain]


def test_a_group_is_printed_as_it_is_after_the_last_mail():
    names = ("anna", "bob", "chen")
    lines = [
        json.dumps({"id": n, "subject": "x", "body": f"the mailbox of {name} is late"}) for n, name in enumerate(names)
    ]

    answers = [json.loads(line) for line in learn_lines(lines)]

    assert {answer["group"] for answer in answers} == {answers[0]["fingerprint"]}
    assert len({answer["fingerprint"] for answer in answers}) == 3
