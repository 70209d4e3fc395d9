"""Blocks of labels before a message."""

from relay.model import Level
from relay.parse.report import parse_text


def test_known_labels_become_fields_and_others_stay():
    text = "Logger: shop.cart\nLevel: WARNING\nShelf: B\nHost: web-1\nWhere: cart.py:20 in refill\n\nCart 5 is gone"

    report = parse_text("x", text)

    assert (report.logger, report.level, report.host) == ("shop.cart", Level.WARNING, "web-1")
    assert (report.location, report.function) == ("cart.py:20", "refill")
    assert report.message == "Shelf: B\nCart 5 is gone"


def test_text_of_unknown_labels_is_the_message():
    text = "Disk: /dev/sda1\nUsage: 96%\n\nPlease check."

    assert parse_text("x", text).message == text
