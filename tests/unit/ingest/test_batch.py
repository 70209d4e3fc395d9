"""Fingerprints of many texts at once."""

import json

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.ingest.batch import fingerprint_lines
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
