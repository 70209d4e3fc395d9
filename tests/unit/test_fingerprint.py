"""Which mails report the same error: whatever is data, time or place of installation makes no difference."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.grouping.fingerprint import MAX_STEPS, MAX_TITLE, VERSION, fingerprint
from relay.parse.report import parse, parse_text
from relay.redact import redact
from tests.support.mails import TRACEBACK, record, stored
from tests.support.paths import DATA

TRACES = DATA / "traces"


def of(text, subject="x"):
    return fingerprint(redact(parse_text(subject, text)), steps=True)


def same(one, other):
    return of(one).key == of(other).key


def printed(version):
    sections = (TRACES / f"python-{version}.txt").read_text().split("=== ")[1:]
    return {title: text for title, _, text in (section.partition("\n") for section in sections)}


def documented(
    message, *, line=5, function="total", moment="2026-11-22 17:03:19,532", root="/srv/shop/current", level="ERROR"
):
    return (
        f"\nMessage type:       {level}\nLocation:           {root}/shop/cart.py:{line}\nModule:             cart\n"
        f"Function:           {function}\nTime:               {moment}\n\nMessage:\n\n{message}\n"
    )


# --- Python's own differences -----------------------------------------------------------------------------------------

VERSIONS = ("3.6", "3.8", "3.9", "3.10", "3.11", "3.12")
NEWEST = printed("3.13")


@pytest.mark.parametrize(("version", "case"), [(version, case) for version in VERSIONS for case in printed(version)])
def test_every_version_of_python_gives_the_same_fingerprint(version, case):
    assert of(printed(version)[case]).key == of(NEWEST[case]).key


def test_the_failures_of_one_program_are_told_apart():
    different = [case for case in NEWEST if case != "larger group"]

    assert len({of(NEWEST[case]).key for case in different}) == len(different)


def test_the_size_of_an_exception_group_makes_no_difference():
    assert same(NEWEST["group"], NEWEST["larger group"])


def test_missing_source_lines_make_no_difference():
    bare = "\n".join(line for line in NEWEST["cause"].split("\n") if not line.startswith("    "))

    assert same(NEWEST["cause"], bare)


def raised(error):
    return f'Traceback (most recent call last):\n  File "/srv/shop/shop/cart.py", line 5, in total\n    x()\n{error}'


REWORDED = [
    ("asyncio.exceptions.TimeoutError", "TimeoutError"),
    ("socket.timeout: timed out", "TimeoutError: timed out"),
    ("re.error: missing ) at position 4", "re.PatternError: missing ) at position 4"),
    ("SyntaxError: invalid syntax", "SyntaxError: expected ':'"),
    ("NameError: name 'totl' is not defined", "NameError: name 'totl' is not defined. Did you mean: 'total'?"),
    ("NameError: name 'io' is not defined", "NameError: name 'io' is not defined. Did you forget to import 'io'?"),
    (
        "AttributeError: module 'random' has no attribute 'x'",
        "AttributeError: module 'random' has no attribute 'x' (consider renaming 'random.py' since so is json)",
    ),
    ("TypeError: add() missing 1 required positional argument: 'x'",
     "TypeError: Cart.add() missing 1 required positional argument: 'x'"),
    ("AttributeError: can't set attribute", "AttributeError: can't set attribute 'price'"),
    ("AttributeError: can't set attribute", "AttributeError: property 'price' of 'Item' object has no setter"),
    ("AttributeError: can't delete attribute", "AttributeError: property 'price' of 'Item' object has no deleter"),
    ("AttributeError: unreadable attribute", "AttributeError: unreadable attribute 'price'"),
    ("AttributeError: unreadable attribute", "AttributeError: property 'price' of 'Item' object has no getter"),
    ("UnboundLocalError: local variable 'x' referenced before assignment",
     "UnboundLocalError: cannot access local variable 'x' where it is not associated with a value"),
    ("NameError: free variable 'x' referenced before assignment in enclosing scope",
     "NameError: cannot access free variable 'x' where it is not associated with a value in enclosing scope"),
    ("TypeError: Can't instantiate abstract class Cart with abstract methods add",
     "TypeError: Can't instantiate abstract class Cart without an implementation for abstract method 'add'"),
    ("TypeError: int() argument must be a string, a bytes-like object or a number, not 'list'",
     "TypeError: int() argument must be a string, a bytes-like object or a real number, not 'list'"),
    ("TypeError: unhashable type: 'list'", "TypeError: cannot use 'list' as a dict key (unhashable type: 'list')"),
    ("ZeroDivisionError: integer division or modulo by zero", "ZeroDivisionError: division by zero"),
    ("RecursionError: maximum recursion depth exceeded in comparison",
     "RecursionError: maximum recursion depth exceeded"),
    ("json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
     "json.decoder.JSONDecodeError: Illegal trailing comma before end of object: line 1 column 7 (char 6)"),
    ("json.decoder.JSONDecodeError: Expecting value: line 1 column 4 (char 3)",
     "json.decoder.JSONDecodeError: Illegal trailing comma before end of array: line 1 column 3 (char 2)"),
]  # fmt: skip
"""What one version of Python printed, and another."""


@pytest.mark.parametrize(("older", "newer"), REWORDED)
def test_an_error_that_python_worded_anew_is_the_same_error(older, newer):
    assert same(raised(older), raised(newer))
    assert not same(raised(older), raised("AttributeError: 'Cart' object has no attribute 'price'"))


def test_what_an_app_asks_is_no_suggestion_of_python():
    assert not same(raised("ShopError: what did you order"), raised("ShopError: what did you pay"))
    assert not same(raised("AttributeError: can't set attribute"), raised("AttributeError: can't delete attribute"))


# --- What makes no difference -----------------------------------------------------------------------------------------


def test_line_numbers_time_level_and_install_folder_make_no_difference_without_a_trace():
    first = of(documented("Cart 5 of ada@example.org is empty")).key

    assert of(documented("Cart 77 of bo@example.org is empty", line=99, moment="2027-01-01 00:00:00,000")).key == first
    assert of(documented("Cart 5 of ada@example.org is empty", root="/opt/shop-1.2.3", level="WARNING")).key == first
    assert of(documented("Cart 5 of ada@example.org is empty").replace("\n", "\r\n")).key == first


def test_the_same_trace_in_every_layout_is_the_same_error():
    texts = [
        TRACEBACK,
        f"Exception on /checkout/0 [GET]\n{TRACEBACK}",
        documented(f"Exception on /checkout/0 [GET]\n{TRACEBACK}"),
        f"2026-11-22 17:03:19,532 ERROR shop.cart: Totals failed\n{TRACEBACK}",
        "\n".join(f"Nov 22 17:03:1{n % 10} web-1 shop[47]: {line}" for n, line in enumerate(TRACEBACK.split("\n"))),
        json.dumps({"event": "Totals failed", "exception": TRACEBACK}),
    ]

    assert len({of(text).key for text in texts}) == 1


def test_subject_app_sender_and_host_make_no_difference():
    assert of(TRACEBACK, "[web-1] 5 errors").key == of(TRACEBACK, "Other").key


def test_what_real_handlers_send_of_one_error_is_one_error():
    mails = ["flask_documented.eml", "flask_default.eml"]
    keys = {fingerprint(redact(parse(record(stored(name)), ()))).key for name in mails}

    assert len(keys) == 1


# --- What makes one ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ZeroDivisionError: division by zero", "ValueError: division by zero"),
        ("ZeroDivisionError: division by zero", "ZeroDivisionError: float modulo"),
        ("in discount", "in surcharge"),
        ("harbour/catalogue.py", "harbour/prices.py"),
        ("in checkout", "in order"),
    ],
)
def test_type_wording_function_and_file_tell_errors_apart(old, new):
    assert old in TRACEBACK
    assert not same(TRACEBACK, TRACEBACK.replace(old, new))


def test_another_cause_is_another_error():
    chain = NEWEST["cause"]

    assert not same(chain, chain.replace("ValueError: could not convert", "TypeError: could not convert"))


def test_the_place_that_logs_never_merges_different_messages():
    """Under Flask every unhandled error has the same Location."""
    assert not same(documented("Cart 5 is empty"), documented("Cart 5 is full"))
    assert not same(documented(TRACEBACK), documented(TRACEBACK.replace("ZeroDivisionError", "ValueError")))


def test_the_same_message_from_two_functions_is_two_errors():
    assert not same(documented("Cart 5 is empty"), documented("Cart 5 is empty", function="refill"))


def test_records_that_are_all_data_are_told_apart_by_their_fields():
    assert same("{'cart': 5, 'user': 'ada'}", "{'user': 'bo', 'cart': 7}")
    assert not same("{'cart': 5, 'user': 'ada'}", "{'parcel': 5, 'user': 'ada'}")


# --- Title and steps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (TRACEBACK, "ZeroDivisionError in discount"),
        (NEWEST["cause"], "ReadingError in checked"),
        (NEWEST["group"], "ExceptionGroup in all_of"),
        (NEWEST["syntax"], "SyntaxError in night.rule"),
        ("Cart 5 of ada@example.org is empty\nsecond line", "Cart <number> of <email> is empty"),
        ("x" * 500, "x" * 119 + "…"),
        ("", "x"),
    ],
)
def test_title_names_the_error_in_one_short_line(text, title):
    assert of(text).title == title


def test_an_empty_mail_has_a_title_too():
    assert of("", subject="").title == "empty message"


def test_steps_tell_in_words_how_the_key_came_about():
    assert of(TRACEBACK.replace("division by zero", "cart 5")).steps == (
        "Python trace, 1 error in its chain",
        "exception type: ZeroDivisionError",
        "message: cart <number>",
        "replaced as number: 5",
        "counts: checkout (harbour/shop.py)",
        "counts: discount (harbour/catalogue.py)",
        "does not count: 1 frame of libraries or repeated",
    )
    assert of(documented("Cart 5 is empty")).steps[:2] == (
        "no stack trace: the message and the place that logged it count",
        "logged by: shop/cart.py total",
    )


def test_key_and_version():
    found = of(TRACEBACK)

    assert found.version == VERSION == 1
    assert re.fullmatch("[0-9a-f]{32}", found.key)


# --- Metamorphic: generated mails -------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z]{3,8}(_[a-z]{2,6})?", fullmatch=True).filter(
    lambda name: name not in ("src", "app", "lib", "bin")
)
roots = st.sampled_from(
    [
        "/srv/x/current",
        "/opt/x-1.2.3",
        "/home/ada/x/releases/20240101120000",
        "/app",
        r"C:\inetpub\x",
        "/var/task",
        "/usr/src/app",
    ]
)
stacks = st.lists(st.tuples(names, names, names), min_size=1, max_size=8)


def trace(stack, root, first_line, ident, *, carets):
    sep = "\\" if "\\" in root else "/"
    lines = ["Traceback (most recent call last):"]
    for number, (package, module, function) in enumerate(stack):
        lines.append(
            f'  File "{root}{sep}shop{sep}{package}{sep}{module}.py", line {first_line + 7 * number}, in {function}'
        )
        lines += ["    return work(item)", *(["           ~~~~^^^^^^"] if carets else [])]
    return "\n".join([*lines, f"shop.errors.StockError: order {ident} of customer {ident * 3} is short"])


@settings(max_examples=100, deadline=None)
@given(stacks, roots, roots, st.integers(1, 9_000), st.integers(1, 10**9), st.booleans())
def test_line_shifts_ids_folders_clock_and_line_ends_never_change_it(stack, root, other_root, line, ident, carets):
    one = f"2026-11-22 17:03:19,532 ERROR shop: job 5\n{trace(stack, root, 10, 4711, carets=False)}"
    other = f"2027-01-01 00:00:00,001 ERROR shop: job {ident}\n{trace(stack, other_root, line, ident, carets=carets)}"

    assert same(one, other.replace("\n", "\r\n"))


@settings(max_examples=100, deadline=None)
@given(stacks, roots, names)
def test_another_raising_function_always_changes_it(stack, root, function):
    changed = [*stack[:-1], (*stack[-1][:2], f"{function}_x")]

    assert not same(trace(stack, root, 10, 1, carets=True), trace(changed, root, 10, 1, carets=True))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400), st.text(max_size=50))
def test_any_text_gives_a_fingerprint(text, subject):
    found = of(text, subject)

    assert found == of(text, subject)
    assert 0 < len(found.title) <= MAX_TITLE
    assert "\n" not in found.title
    assert len(found.steps) <= MAX_STEPS
