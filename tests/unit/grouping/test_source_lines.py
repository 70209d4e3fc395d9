"""The template of a source line says which parts of an exception's message are data."""

import json
from collections import defaultdict

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.grouping.former import fingerprint_1
from relay.parse.report import parse_text
from relay.redact import redact
from tests.support.paths import DATA


def report_of(line, message, *, path="/srv/shop/current/shop/stock.py", type_="shop.Gone", marks=""):
    """A traceback whose innermost frame has this source line; "" for a traceback without source lines."""
    source = f"    {line}\n" if line else ""
    source += f"    {marks}\n" if marks else ""
    outer = "    reserve(order)\n" if line else ""
    text = (
        "Traceback (most recent call last):\n"
        f'  File "/srv/shop/current/shop/web.py", line 19, in checkout\n{outer}'
        f'  File "{path}", line 42, in reserve\n{source}'
        f"{type_}: {message}\n"
    )
    return redact(parse_text("Failed", text))


def key_of(*args, **more):
    return fingerprint(report_of(*args, **more)).key


def test_styles_of_raising_are_grouped_with_the_required_accuracy():
    keys, labels = defaultdict(set), defaultdict(set)
    for line in (DATA / "source_lines" / "styles.jsonl").read_text(encoding="utf-8").splitlines():
        mail = json.loads(line)
        key = fingerprint(redact(parse_text("Failed", mail["text"]))).key
        keys[mail["label"]].add(key)
        labels[key].add(mail["label"])

    right = [label for label, found in keys.items() if len(found) == 1 and len(labels[min(found)]) == 1]

    assert len(keys) >= 600
    assert len(right) >= 0.98 * len(keys)
    assert not [found for found in labels.values() if len(found) > 1]


@pytest.mark.parametrize(
    ("line", "one", "two"),
    [
        ('raise Gone(f"no room in mailbox {who}")', "no room in mailbox anna", "no room in mailbox chen"),
        ('raise Gone(f"article {code!r} of {who} is gone")', "article 'x' of a is gone", "article 'y z' of b is gone"),
        ('raise Gone(f"title: {title} was not printed")', "title: Dust was not printed",
         "title: The Blue Chair was not printed"),
    ],
)  # fmt: skip
def test_values_of_holes_are_data(line, one, two):
    assert key_of(line, one) == key_of(line, two)


@pytest.mark.parametrize(
    ("line", "one", "two"),
    [
        ('raise Gone(f"mailbox is {word}")', "mailbox was full", "mailbox was locked"),  # the line does not fit
        ('raise Gone(f"sync failed: {error}")', "sync failed: refused", "sync failed: reset"),
        ('raise Gone("sync failed: " + str(exc))', "sync failed: refused", "sync failed: reset"),
        ('raise Gone(f"import stopped, {text}")', "import stopped, no such table", "import stopped, disk is full"),
        ('raise Gone(f"cannot store a {type(each).__name__}")', "cannot store a Decimal", "cannot store a Fraction"),
        ("""raise Gone(f"door is {'open' if up else 'shut'}")""", "door is open", "door is shut"),
        ('raise Gone(f"gateway answered HTTP {status}")', "gateway answered HTTP 503", "gateway answered HTTP 404"),
        ('raise Gone(f"{what}")', "mailbox full", "mailbox locked"),
        ('raise Gone("mailbox {} of {}".format(', "mailbox full of mails", "mailbox void of mails"),
    ],
)  # fmt: skip
def test_words_that_say_what_happened_stay(line, one, two):
    assert key_of(line, one) != key_of(line, two)


@pytest.mark.parametrize(
    "message",
    ["only 4 left of 'SKU-17' for ada@example.org", "only 17 left of 'blue chair' for ben@example.org"],
)
def test_data_that_the_rules_recognize_has_the_same_key_without_a_source_line(message):
    line = 'raise Gone(f"only {left} left of {sku!r} for {customer}")'

    assert key_of(line, message) == key_of("", message)


def test_a_reworded_line_with_the_same_message_changes_nothing():
    message = "no room in mailbox anna"
    lines = [
        'raise Gone(f"no room in mailbox {who}")', 'raise Gone("no room in mailbox %s" % who)',
        "raise Gone(text(MESSAGES.full, who))", 'raise Gone(f"{PREFIX} {who}")',
    ]  # fmt: skip

    keys = [key_of(line, message) for line in lines]

    assert keys[0] == keys[1]
    assert keys[2] == keys[3] == key_of("", message)


def test_source_lines_of_libraries_do_not_count():
    path = "/srv/shop/venv/lib/python3.11/site-packages/sqlalchemy/orm.py"
    line = 'raise Gone(f"no mapper for {entity}")'

    assert key_of(line, "no mapper for Basket", path=path) != key_of(line, "no mapper for Order", path=path)


def test_marks_select_the_call_that_raised():
    line = 'return lock(f"lock {a} of {b}") or fail(f"lock of {who}")'
    marks = " " * 35 + "~~~~" + "^" * 18

    assert key_of(line, "lock of anna", marks=marks) == key_of(line, "lock of chen", marks=marks)


def test_statements_of_several_lines_are_read_if_all_of_them_are_printed():
    whole = 'raise Gone(\n        f"no room in mailbox {who}"\n    )'
    cut = 'raise Gone(\n    ...<3 lines>...\n        f"no room in mailbox {who}"\n    )'

    assert key_of(whole, "no room in mailbox anna") == key_of(whole, "no room in mailbox chen")
    assert key_of(cut, "no room in mailbox anna") != key_of(cut, "no room in mailbox chen")


def test_the_quotes_of_a_key_error_are_no_data():
    line = 'raise KeyError(f"please call {who}")'

    keys = {key_of(line, f"'please call {who}'", type_="KeyError") for who in ("anna", "chen")}

    assert len(keys) == 1
    assert keys != {key_of('raise KeyError(f"please mail {who}")', "'please mail anna'", type_="KeyError")}


def test_members_of_a_group_and_causes_have_their_own_source_lines():
    def text(one, two):
        return (
            "Traceback (most recent call last):\n"
            '  File "/srv/shop/web.py", line 1, in read\n    raise Gone(f"no page {name}")\n'
            f"shop.Gone: no page {one}\n\n"
            "The above exception was the direct cause of the following exception:\n\n"
            "Traceback (most recent call last):\n"
            '  File "/srv/shop/web.py", line 5, in show\n    raise Broken(f"no chapter {name}") from error\n'
            f"shop.Broken: no chapter {two}\n"
        )

    one, two = (redact(parse_text("Failed", text(*names))) for names in (("anna", "preface"), ("chen", "index")))

    assert fingerprint(one).key == fingerprint(two).key


def test_version_1_does_not_read_source_lines():
    line = 'raise Gone(f"no room in mailbox {who}")'
    one, two, bare = (
        report_of(*args)
        for args in (
            (line, "no room in mailbox anna"),
            (line, "no room in mailbox chen"),
            ("", "no room in mailbox anna"),
        )
    )

    assert fingerprint_1(one).key != fingerprint_1(two).key
    assert fingerprint_1(one).key == fingerprint_1(bare).key
