"""Log records in JSON."""

import pytest

from relay.model import Level
from relay.parse.report import parse_text
from tests.support.mails import TRACEBACK


def test_json_record_gives_fields_message_and_trace():
    text = (
        '{"level": "critical", "logger": "shop", "event": "Cart 5 is gone", "exception": '
        + as_json_string(TRACEBACK)
        + "}"
    )

    report = parse_text("x", text)

    assert (report.level, report.logger, report.message) == (Level.CRITICAL, "shop", "Cart 5 is gone")
    assert report.trace == TRACEBACK


def as_json_string(text):
    return '"' + text.replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize(
    "text", ['{"message": ', "{}", "[" * 100_000, '{"message": ' + "[" * 100_000, '{"a": ' + "9" * 5_000 + "}"]
)
def test_text_that_only_begins_like_json_is_plain_text(text):
    assert parse_text("x", text).message == text.strip()
