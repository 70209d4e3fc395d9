"""Records in JSON."""

import pytest

from relay.model import Level
from relay.parse.report import parse_text
from tests.support.mails import TRACEBACK


def test_a_record_in_json_is_taken_apart():
    text = (
        '{"level": "critical", "logger": "shop", "event": "Cart 5 is gone", "exception": ' + repr_json(TRACEBACK) + "}"
    )

    report = parse_text("x", text)

    assert (report.level, report.logger, report.message) == (Level.CRITICAL, "shop", "Cart 5 is gone")
    assert report.trace == TRACEBACK


def repr_json(text):
    return '"' + text.replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize(
    "text", ['{"message": ', "{}", "[" * 100_000, '{"message": ' + "[" * 100_000, '{"a": ' + "9" * 5_000 + "}"]
)
def test_what_only_begins_like_json_is_plain_text(text):
    assert parse_text("x", text).message == text.strip()
