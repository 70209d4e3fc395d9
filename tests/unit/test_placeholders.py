"""A message without its data: one template for every repeat, in linear time, explained."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.patterns import RULES
from relay.placeholders import MAX_LINES, MAX_TEMPLATE, parameterise


def test_what_was_replaced_is_told_in_order():
    template = parameterise("Order 17 of ada@example.org failed after 3.2 s")

    assert template.text == "Order <number> of <email> failed after <duration>"
    assert template.key == "Order * of * failed after *"
    assert template.found == (("number", "17"), ("email", "ada@example.org"), ("duration", "3.2 s"))


EQUAL = [
    ("lost [1, 2, 3] here", "lost [40] here"),
    ("lost [1, 2, 3] here", "lost [] here"),
    ('got {"user": "ada", "n": 3} here', 'got {"n": [1, {"a": "]"}], "user": "bo"} here'),
    ("got {'a': \"it's\"} here", "got {} here"),
    ('got {"cut": "off in the mid', 'got {"cut": [1, 2'),
    ("delete blk_1 now", "delete blk_-1 blk_22 blk_333 now"),
    ("ids: 1, 2, 3", "ids: 7"),
    ("1 error in 1 file", "3 errors in 2 files"),
    ("retry at 10.0.0.1", "retry at db.example.org"),
    ("host down at 10.0.0.1 (db.example.org)", "host down at 10.0.0.1 ()"),
    ("a  b\tc", "a b c"),
    ("token [masked] is bad", "token 'abc' is bad"),
    ("key session:b[masked]7 is bad", "key session:4711 is bad"),
    ('token "abc" is bad', 'token ..."bc d"... is bad'),
    ("https://ada:pw@example.org/x is down", "https://[masked]@example.org/x is down"),
    ("see https://example.org/?token=abc&x=1 now", "see https://example.org/?token=[masked]&x=2 now"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_lists_kinds_and_plurals_make_no_difference(one, other):
    assert parameterise(one).key == parameterise(other).key


def test_equal_lines_count_once_and_only_the_first_lines_count():
    rows = "\n".join(f"row {number} is bad" for number in range(500))
    long = "\n".join(f"line {letter}" for letter in "abcdefghijklmnopqrstuvwxyz")

    assert parameterise(f"Import failed\n{rows}").key == "Import failed\nrow * is bad"
    assert len(parameterise(long).key.split("\n")) == MAX_LINES


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_gives_a_template(text):
    template = parameterise(text)

    assert len(template.key) <= MAX_TEMPLATE
    assert all(value in text or "<data>" in value for _, value in template.found)


UNITS = """
a 1 a1 a. 1. 1: a- a_ ' " ` ( [ { < / \\ = a= a=' [1 [1, {"a": [{ a@ <a@ :: ffff: ff- 0x http:// :// /a 1d 12:00
C:\\a\\ \\\\a 2024-01-01T é 注文
"""
NASTY = UNITS.split()
SPACED = (
    "<A ",
    "Mon ",
    "Jan 1 ",
    "by a_b ",
    "to Ab Cd",
    "(Ab Cd, ",
    "user a",
    "HTTP ",
    "code ",
    "utf-8 ",
    "[Errno ",
    "* ",
)


@pytest.mark.parametrize("unit", [*NASTY, *SPACED, "\n", "\u2028"])
def test_a_megabyte_of_the_same_comes_to_an_end(unit):
    text = (unit * 1_000_000)[:1_000_000]

    assert len(parameterise(text + "!").key) <= MAX_TEMPLATE


def test_no_rule_captures_anything():
    """A group of a pattern's own would be taken for the rule's."""
    import re

    assert [rule.name for rule in RULES if re.compile(rule.pattern).groups] == []
