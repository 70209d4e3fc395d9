"""Comparing two mails: the answer is the one of ingest, and the text says what decides it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.grouping.compare import Aspect, Case, Comparison, compare
from relay.grouping.components import components
from relay.grouping.fingerprint import fingerprint
from relay.grouping.rules import Rules
from relay.model import Action, Form, GroupingRule, Report, SplitBy
from tests.support.correlated_errors import FLASK, LOOK_ALIKES, ONE_FAILURE, STOCK, trace
from tests.support.digests import report as sample

CHECKOUT = trace(*FLASK, "shop/web.py:checkout", "shop/stock.py:reserve", raised=STOCK)
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/shop/shop/jobs.py", line 5, in run
  |     raise ExceptionGroup("two failed", errors)
  | ExceptionGroup: two failed (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/shop/shop/jobs.py", line 9, in {}
    |     raise ValueError("no")
    | ValueError: no
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/srv/shop/shop/jobs.py", line 12, in {}
    |     raise ValueError("no")
    | ValueError: no
    +------------------------------------
"""


def report(message: str = "", **fields: Any) -> Report:
    given: dict[str, Any] = {"form": Form.DOCUMENTED, "subject": "Failed", "sender": "", "app": "shop"}
    return Report(**given, message=message, **fields)


def case(of: Report, *rules: GroupingRule, route: str = "admins") -> Case:
    found = fingerprint(of, steps=True)
    return Case(report=of, found=found, judged=Rules(rules).judge(of, found), route=route)


def compared(one: Report, other: Report, *rules: GroupingRule) -> Comparison:
    return compare(case(one, *rules), case(other, *rules))


def differing(found: Comparison, *, counts: bool = True) -> list[str]:
    return [aspect.name for aspect in found.aspects if aspect.counts is counts and not aspect.same]


def named(found: Comparison, name: str) -> Aspect:
    return next(aspect for aspect in found.aspects if aspect.name == name)


# --- The answer is the one of ingest ----------------------------------------------------------------------------------

REPORTS = [
    *(sample(**fields) for pair in ONE_FAILURE.values() for fields in pair),
    *(each.sample for entries in LOOK_ALIKES.values() for each in entries if each.sample),
    *(report(trace=GROUP.format(*names)) for names in (("a", "b"), ("b", "a"), ("a", "c"))),
    *(report(text) for text in ("order 1 is lost", "order 2 is lost", "order 1 was lost", "", '{"a": 1}', '{"b": 1}')),
    report("order 1 is lost", logger="shop"),
]


def test_every_pair_is_the_same_error_if_the_keys_are_equal():
    answers = set()
    for one, other in combinations(REPORTS, 2):
        found = compared(one, other)
        same = fingerprint(one).key == fingerprint(other).key and one.app == other.app

        assert found.same is same
        assert (differing(found) == []) is same
        assert (components(one).parts == components(other).parts) is (fingerprint(one).key == fingerprint(other).key)
        answers.add(same)
    assert answers == {True, False}


@given(st.text(max_size=80), st.text(max_size=80), st.booleans())
def test_any_two_texts_can_be_compared(one: str, other: str, as_trace: bool):
    first, second = (report(text, trace=f"{CHECKOUT}\n{text}" if as_trace else "") for text in (one, other))
    found = compared(first, second)

    assert found.same is (fingerprint(first).key == fingerprint(second).key)
    assert found.same is (differing(found) == [])
    assert compared(second, first).same is found.same


# --- What it says -----------------------------------------------------------------------------------------------------


def test_the_same_error_lists_differences_that_do_not_count():
    one = report("Order 1 failed", trace=CHECKOUT, host="web-1", time="12:00", location="/srv/shop/shop/web.py:3")
    later = (
        CHECKOUT.replace("line 42", "line 44")
        .replace("SKU-17", "SKU-18")
        .replace("/srv/shop/shop", "/home/ada/release/shop")
    )
    found = compared(one, report("Order 2 failed", trace=later, host="web-2", time="13:00", location="/srv/b.py:4"))

    assert (found.same, found.why, found.hint) == (True, "everything that counts is equal", "")
    assert differing(found, counts=False) == ["location", "time", "host", "data", "message above the trace"]
    assert named(found, "data").one == ("number: 4", "text: 'SKU-17'")
    assert named(found, "calls").one == ("checkout (shop/web.py)", "reserve (shop/stock.py)")


@pytest.mark.parametrize(
    ("trace_of_other", "names"),
    [
        (CHECKOUT.replace("OutOfStock", "SoldOut"), ["exception"]),
        (CHECKOUT.replace("in checkout", "in cart"), ["calls"]),
        (CHECKOUT.replace("only 4 left of", "gone:"), ["message"]),
        (trace(*FLASK, "shop/web.py:checkout", "shop/stock.py:reserve", raised=STOCK,
               before=trace("shop/db.py:get", raised="KeyError: 1")), ["exception at depth 1"]),
        ("", ["stack trace"]),
    ],
    ids=["type", "function", "message", "cause", "none at all"],
)  # fmt: skip
def test_two_errors_name_the_differences(trace_of_other, names):
    found = compared(report("it failed", trace=CHECKOUT), report("it failed", trace=trace_of_other))

    assert found.why == f"they differ in: {', '.join(names)}"
    assert differing(found) == names


def test_without_a_trace_the_location_counts():
    found = compared(
        report("it failed", location="/srv/shop/shop/a.py:1", function="f", logger="shop.a"),
        report("it failed", location="/srv/shop/shop/b.py:1", function="g", logger="shop.b"),
    )

    assert differing(found) == ["logged by: file", "logged by: function", "logged by: logger"]
    assert named(found, "message").same


def test_one_fingerprint_in_two_apps_or_on_two_routes_is_two_errors():
    one = report("it failed")
    apps = compared(one, replace(one, app="blog"))
    routes = compare(case(one), case(one, route="ops"))

    assert (apps.same, differing(apps)) == (False, ["app"])
    assert apps.why == "the fingerprint is the same, but errors of two apps are never grouped together"
    assert (routes.same, differing(routes)) == (False, ["route"])
    assert "two routes" in routes.why


# --- Rules ------------------------------------------------------------------------------------------------------------

JOIN = GroupingRule(name="Printer", action=Action.JOIN, message="*printer*")
SPLIT = GroupingRule(name="Hosts", action=Action.SPLIT, by=SplitBy.HOST)
IGNORE = GroupingRule(name="Bots", action=Action.IGNORE, message="*bot*")


def test_a_join_rule_decides():
    found = compared(report("the printer burns"), report("the printer is wet"), JOIN)

    assert (found.same, found.hint) == (True, "")
    assert found.why == (
        "rule 'Printer': joined with everything that it matches; without this rule they would be two errors"
    )
    assert differing(found) == ["message"]


def test_a_join_rule_that_matches_only_one_mail_decides():
    found = compared(report("the printer burns"), report("the disk is full"), JOIN)

    assert (found.same, found.why) == (False, "rule 'Printer': joined with everything that it matches")


def test_a_split_rule_decides():
    found = compared(report("it failed", host="web-1"), report("it failed", host="web-2"), SPLIT)

    assert not found.same
    assert found.why == (
        "rule 'Hosts': split by host, here 'web-1'; rule 'Hosts': split by host, here 'web-2'; "
        "without the rule they would be the same error"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [(("bot", "man"), "the first"), (("man", "bot"), "the second"), (("bot", "bot"), "neither")],
)
def test_ignored_mails_are_not_the_same_error(words, why):
    first, second = (report(f"a {word} came") for word in words)
    found = compared(first, second, IGNORE)

    assert not found.same
    assert found.why.startswith(why)
    assert "rule 'Bots': ignored" in found.why


# --- The hint ---------------------------------------------------------------------------------------------------------


def rule_of(hint: str) -> GroupingRule:
    match = re.search(r'action = "join" and message = "(.*)"', hint)
    assert match, hint
    return GroupingRule(name="hinted", action=Action.JOIN, message=match[1])


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("unknown sku QCZUFYRD in cart", "unknown sku PLMOKNIJ in cart", "'QCZUFYRD' / 'PLMOKNIJ'"),
        ("3 orders of QCZ are lost, why", "1 order of PLM are lost, why", "'QCZ' / 'PLM'"),
        ("sku [gone] at ALPHA", "sku [gone] at BETA", "'ALPHA' / 'BETA'"),
        ("it failed twice", "it failed", "'twice' (in one of them only)"),
    ],
)
def test_the_hint_names_the_few_words_that_differ_and_a_rule_that_joins_the_errors(one, other, words):
    first, second = report(one), report(other)
    found = compared(first, second)

    assert not found.same
    assert words in found.hint
    assert compared(first, second, rule_of(found.hint)).same


def test_the_hint_works_for_exceptions():
    first, second = (
        report(trace=CHECKOUT.replace("only 4 left of", f"shelf {name} has none of")) for name in ("ABCD", "EFGH")
    )
    found = compared(first, second)

    assert "'ABCD' / 'EFGH'" in found.hint
    assert compared(first, second, rule_of(found.hint)).same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (report("the printer burns"), report("your cart was lost")),
        (report("unknown sku ABCD"), report("unknown sku EFGH", logger="shop")),
        (report("a b c d e f g h"), report("a X c Y e Z g W")),
    ],
    ids=["everything", "the logger too", "many words"],
)
def test_there_is_no_hint_if_more_than_a_few_words_differ(one, other):
    assert compared(one, other).hint == ""
