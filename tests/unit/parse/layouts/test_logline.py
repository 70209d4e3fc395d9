"""Log lines: time, level and logger are removed from the message."""

import pytest

from relay.model import Level
from relay.parse.report import parse_text
from tests.support.mails import read_by_relay, stored


def test_documented_format_for_files_is_parsed():
    report = read_by_relay(stored("file_format.eml"))

    assert report.message == "Stock of 978-1 is -3"
    assert report.level is Level.ERROR
    assert report.location == "/srv/harbour/current/harbour/nightly.py:10"
    assert report.time.startswith("2026-11-22 ")


@pytest.mark.parametrize(
    ("line", "level", "logger", "message"),
    [
        ("2026-11-22 17:03:19,532 ERROR shop.cart: Cart 5 is gone", Level.ERROR, "shop.cart", "Cart 5 is gone"),
        ("2026-11-22T17:03:19Z [main] WARN  o.s.Cart - Cart 5 is gone", Level.WARNING, "o.s.Cart", "Cart 5 is gone"),
        ("[2026-11-22 17:03:19,532] ERROR in cart: Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("[2026-11-22 17:03:19,532: CRITICAL/ForkPoolWorker-6] Cart 5 is gone", Level.CRITICAL, "", "Cart 5 is gone"),
        ("ERROR 2026-11-22 17:03:19,532 cart 4711 140311451243661 Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("WARNING:shop.cart:Cart 5 is gone", Level.WARNING, "shop.cart", "Cart 5 is gone"),
        ("E, [2026-11-22T17:03:19.532000 #4711] ERROR -- : Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("CRITICAL: Cart 5 is gone", Level.CRITICAL, "", "Cart 5 is gone"),
        ("Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("Error while packing", Level.ERROR, "", "Error while packing"),
    ],
)
def test_beginning_of_a_log_line_is_removed(line, level, logger, message):
    report = parse_text("x", line)

    assert (report.level, report.logger, report.message) == (level, logger, message)
