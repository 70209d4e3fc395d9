"""Prefixes that log transports and collectors write before each line."""

import pytest

from relay.parse.report import parse_text
from tests.support.mails import TRACEBACK


@pytest.mark.parametrize(
    "margin",
    [
        "Nov 22 17:03:1{n} web-1 shop[47{n}]: ",
        "web-1  | ",
        "2026-11-22T17:03:1{n}.5Z stderr F ",
        "2026-11-22T17:03:1{n}+00:00 app[web.1]: ",
    ],
)
def test_prefix_of_a_log_transport_is_removed(margin):
    lines = ["Totals failed", *TRACEBACK.split("\n")]

    report = parse_text("x", "\n".join(margin.format(n=n % 10) + line for n, line in enumerate(lines)))

    assert report.message == "Totals failed"
    assert report.trace == TRACEBACK


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-11-22T17:03:11.5Z stderr F no cart", "no cart"),
        ("web-1  | no cart", "no cart"),
        ('2026-11-22T17:03:11Z stdout F {"level": "error", "msg": "no cart"}', "no cart"),
        ('{"level": "error", "msg": "no cart", "error": "it is gone", "stack": "a"}', "no cart: it is gone\na"),
        ('{"msg": "no cart", "attr": {"error": 28, "message": "it is full"}}', "no cart: it is full"),
        ("[a-5] no cart\n[a-5]\n[a-6] no cart", "no cart\n\nno cart"),
        ("Cart | no cart", "Cart | no cart"),
    ],
)
def test_wrapping_by_a_log_collector_is_removed(text, message):
    assert parse_text("x", text).message == message
