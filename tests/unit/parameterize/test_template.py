"""Templates of messages: equal for every repeat of an error, in linear time, with the replaced parts."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.parameterize.patterns import RULES, any_case
from relay.parameterize.template import _BEGINS, _GATES, MAX_LINES, MAX_TEMPLATE, parameterize
from tests.support.same_errors import EQUAL_MESSAGES


def test_replaced_parts_are_listed_in_order():
    template = parameterize("Order 17 of ada@example.org failed after 3.2 s")

    assert template.text == "Order <number> of <email> failed after <duration>"
    assert template.key == "Order * of * failed after *"
    assert template.found == (("number", "17"), ("email", "ada@example.org"), ("duration", "3.2 s"))


@pytest.mark.parametrize(("one", "other"), EQUAL_MESSAGES)
def test_length_of_lists_kind_of_data_and_plural_do_not_change_the_key(one, other):
    assert parameterize(one).key == parameterize(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('host a: {"n": 1, "msg": "no route to it"}', 'host a: {"n": 2, "msg": "name is unknown"}'),
        ("bad query: b'UPDATE \"stock\" SET a = 1'", "bad query: b'UPDATE \"sales\" SET a = 2'"),
        ("bad query: 'SELECT a, b FROM stock'", "bad query: 'SELECT a, b FROM sales'"),
        ("sending failed [[Error 7] Timeout]", "sending failed [[Error 15] NotLeader]"),
        ("#<IOError: no pipe>", "#<IOError: stream is closed>"),
        ('too long for column "A"."B"."C"', 'too long for column "A"."B"."D"'),
        ('Class "Shop\\Cart" not found', 'Class "Shop\\Till" not found'),
        ("Duplicate entry 'a' for key 'cart.mail'", "Duplicate entry 'a' for key 'cart.name'"),
        ('lost err="no such file"', 'lost err="not a folder"'),
        ("a  b  c", "a  b  d"),
    ],
)
def test_text_that_identifies_the_error_changes_the_key(one, other):
    assert parameterize(one).key != parameterize(other).key


def test_equal_lines_count_once_and_only_the_first_lines_are_in_the_key():
    rows = "\n".join(f"row {number} is bad" for number in range(500))
    long = "\n".join(f"line {char}" for char in "abcdefghijklmnopqrstuvwxyz")

    assert parameterize(f"Import failed\n{rows}").key == "Import failed\nrow * is bad"
    assert len(parameterize(long).key.split("\n")) == MAX_LINES


# --- The gates skip nothing that a rule would match -------------------------------------------------------------------

EVERY_RULE = re.compile(
    "|".join(
        f"{_BEGINS}{_GATES[starts]}(?:{rule.pattern})(?P<{starts}{number}>)"
        for starts in "dlm"
        for number, rule in enumerate(RULES)
        if starts in rule.starts.lower()
    )
)
"""All rules in order, tried at each position where the first character fits."""
DIGITS = [
    "7",
    "17",
    "503",
    "0417",
    "20240307",
    "202403070815",
    "10.0.0.1",
    "3.2",
    "1,024",
    "٣",
    "1" * 41,
    "5e3",
    "1h30m",
]
WORDS = [
    *re.findall(r"[A-Za-z]{2,}", " ".join(rule.pattern for rule in RULES)), "order", "Mär", "für",
    "\u017fha256", "\u0131so8859",
    "a" * 41, "Ada", "Lovelace", "ada.lovelace", "ada_l", "k9Mtd2gDcgG", "sda", "'x'", '"a b"', "`x`", "b'x'", "X", "°",
    "a=b", "a@b.c", "https://a.b/c", "-", "--", "#", "(", ")", "[", "<", "x-1", "é", "::1", "/srv/a", "C:\\x", "12.3s",
]  # fmt: skip
PHRASES = [
    "rfc 2822", "rc 5", "code: 17", "ORA 00942", "550 5.1.1", "7 Mar 2024", "07-Mar-2024", "Thu, 07 Mar 2024 08:15:00",
    "Thu Mar  7 08:15:00 2024", "Mar 7", "3 days, 0:00:01", "20240307", "dev sda1", "disk sdb",
    "Key x is missing in the map",
    "enum constant A.B", "5 MB", "3 seconds", "11 days", "17 of", "module 'x'", "arguments: 'x'", "user ada",
    "Customer bo", "by ada.lovelace", "for Ada Lovelace", "exit code 1", "status 503",
]  # fmt: skip
"""Data that contains a space."""
BETWEEN = [" ", " ", " ", ", ", ": ", ":", ",", ". ", "-", "=", "", "\n", "  ", "/", "(", "'", ")", "_", "\u00a0"]
WORDED = st.lists(st.tuples(st.sampled_from(WORDS + 4 * DIGITS + 6 * PHRASES), st.sampled_from(BETWEEN)), max_size=12)


def replaced(text):
    """Return the same as `Parameterizer`, without any fast path."""
    rules = {f"{starts}{number}": rule for starts in "dlm" for number, rule in enumerate(RULES)}

    def new(match):
        rule = rules[match.lastgroup]
        return match[0] if not rule.kind else rule.replace(match[0]) if rule.replace else f"<{rule.kind}>"

    return EVERY_RULE.sub(new, text)


@pytest.mark.parametrize("phrase", PHRASES)
def test_rule_that_continues_across_a_space_is_tried(phrase):
    for text in (phrase, f"order {phrase} is", f"7 {phrase}, 8"):
        assert parameterize(text).text == replaced(text)


@settings(max_examples=700, deadline=None)
@given(WORDED)
def test_result_is_the_same_as_trying_every_rule_everywhere(pieces):
    text = "".join(word + between for word, between in pieces).replace("[", "").replace("{", "")

    assert parameterize(text).text == replaced(text)


def test_any_case_matches_what_ignorecase_matches():
    every = [chr(code) for code in range(0x3000)]
    for initial in "abcdefghijklmnopqrstuvwxyz":
        pattern = re.compile(any_case([initial]))
        assert [char for char in every if pattern.fullmatch(char)] == [
            char for char in every if re.fullmatch(initial, char, re.IGNORECASE)
        ]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_arbitrary_text_gives_a_template(text):
    template = parameterize(text)

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
def test_megabyte_of_the_same_unit_is_read_in_bounded_time(unit):
    text = (unit * 1_000_000)[:1_000_000]

    assert len(parameterize(text + "!").key) <= MAX_TEMPLATE


def test_no_pattern_has_a_capturing_group():
    """A capturing group in a pattern would be mistaken for the group that names the rule."""
    import re

    assert [rule.name for rule in RULES if re.compile(rule.pattern).groups] == []
