"""Log records as key=value pairs (logfmt)."""

import pytest

from relay.model import Level
from relay.parse.report import parse_text
from tests.support.mails import TRACEBACK


def test_pairs_become_fields_by_their_names():
    text = 'time=2026-11-22T17:03:11Z level=warn host=web-1 pid=7 msg="order \\"17\\" failed" err="no route\\nto host"'

    report = parse_text("x", text)

    assert (report.message, report.host, report.time) == (
        'order "17" failed\nno route\nto host',
        "web-1",
        "2026-11-22T17:03:11Z",
    )
    assert report.level is Level.WARNING


def test_trace_below_the_pairs_belongs_to_the_record():
    report = parse_text("x", f'ts=17:03:11 level=ERROR logger=shop.cart msg="Totals failed"\n{TRACEBACK}')

    assert (report.message, report.trace, report.logger) == ("Totals failed", TRACEBACK, "shop.cart")


@pytest.mark.parametrize("text", ['user=ada failed with level=3 msg="x"', "level=error code=7", "msg=hello to=you"])
def test_line_with_pairs_and_other_words_is_the_message(text):
    assert parse_text("x", text).message == text
