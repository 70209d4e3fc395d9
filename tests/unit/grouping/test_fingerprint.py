"""Which mails report the same error: data, time and install folder make no difference."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.grouping.fingerprint import MAX_STEPS, MAX_TITLE, VERSION, fingerprint
from relay.parse.report import parse
from relay.redact import redact
from tests.support.mails import TRACEBACK, record, stored
from tests.support.printed_traces import printed
from tests.support.same_errors import REWORDED, fingerprint_of, raised, same_error


def documented(
    message, *, line=5, function="total", moment="2026-11-22 17:03:19,532", root="/srv/shop/current", level="ERROR"
):
    return (
        f"\nMessage type:       {level}\nLocation:           {root}/shop/cart.py:{line}\nModule:             cart\n"
        f"Function:           {function}\nTime:               {moment}\n\nMessage:\n\n{message}\n"
    )


# --- Differences between Python versions ------------------------------------------------------------------------------

VERSIONS = ("3.6", "3.8", "3.9", "3.10", "3.11", "3.12")
PRINTED = {version: printed(f"python-{version}.txt") for version in VERSIONS}
NEWEST = printed("python-3.13.txt")


@pytest.mark.parametrize(("version", "case"), [(version, case) for version in VERSIONS for case in PRINTED[version]])
def test_every_version_of_python_gives_the_same_fingerprint(version, case):
    assert fingerprint_of(PRINTED[version][case]).key == fingerprint_of(NEWEST[case]).key


def test_different_failures_of_one_program_are_different_errors():
    different = [case for case in NEWEST if case != "larger group"]

    assert len({fingerprint_of(NEWEST[case]).key for case in different}) == len(different)


def test_the_size_of_an_exception_group_makes_no_difference():
    assert same_error(NEWEST["group"], NEWEST["larger group"])


def test_missing_source_lines_make_no_difference():
    bare = "\n".join(line for line in NEWEST["cause"].split("\n") if not line.startswith("    "))

    assert same_error(NEWEST["cause"], bare)


@pytest.mark.parametrize(("older", "newer"), REWORDED)
def test_an_error_that_a_new_python_words_differently_is_the_same_error(older, newer):
    assert same_error(raised(older), raised(newer))
    assert not same_error(raised(older), raised("AttributeError: 'Cart' object has no attribute 'price'"))


def test_a_question_in_an_apps_message_is_not_taken_for_a_suggestion_of_python():
    assert not same_error(raised("ShopError: what did you order"), raised("ShopError: what did you pay"))
    assert not same_error(
        raised("AttributeError: can't set attribute"), raised("AttributeError: can't delete attribute")
    )


# --- What makes no difference -----------------------------------------------------------------------------------------


def test_line_numbers_time_level_and_install_folder_make_no_difference_without_a_trace():
    first = documented("Cart 5 of ada@example.org is empty")

    assert same_error(
        documented("Cart 77 of bo@example.org is empty", line=99, moment="2027-01-01 00:00:00,000"), first
    )
    assert same_error(documented("Cart 5 of ada@example.org is empty", root="/opt/shop-1.2.3", level="WARNING"), first)
    assert same_error(first.replace("\n", "\r\n"), first)


def test_the_same_trace_in_every_layout_is_the_same_error():
    texts = [
        TRACEBACK,
        f"Exception on /checkout/0 [GET]\n{TRACEBACK}",
        documented(f"Exception on /checkout/0 [GET]\n{TRACEBACK}"),
        f"2026-11-22 17:03:19,532 ERROR shop.cart: Totals failed\n{TRACEBACK}",
        "\n".join(f"Nov 22 17:03:1{n % 10} web-1 shop[47]: {line}" for n, line in enumerate(TRACEBACK.split("\n"))),
        json.dumps({"event": "Totals failed", "exception": TRACEBACK}),
    ]

    assert len({fingerprint_of(text).key for text in texts}) == 1


def test_subject_app_sender_and_host_make_no_difference():
    assert fingerprint_of(TRACEBACK, "[web-1] 5 errors").key == fingerprint_of(TRACEBACK, "Other").key


def test_mails_of_different_handlers_about_one_error_are_the_same_error():
    mails = ["flask_documented.eml", "flask_default.eml"]
    keys = {fingerprint(redact(parse(record(stored(name)), ()))).key for name in mails}

    assert len(keys) == 1


# --- What makes a difference ------------------------------------------------------------------------------------------


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
def test_another_type_wording_function_or_file_is_another_error(old, new):
    assert old in TRACEBACK
    assert not same_error(TRACEBACK, TRACEBACK.replace(old, new))


def test_another_cause_is_another_error():
    chain = NEWEST["cause"]

    assert not same_error(chain, chain.replace("ValueError: could not convert", "TypeError: could not convert"))


def test_an_equal_location_never_merges_different_messages():
    """With Flask, every unhandled error has the same Location."""
    assert not same_error(documented("Cart 5 is empty"), documented("Cart 5 is full"))
    assert not same_error(documented(TRACEBACK), documented(TRACEBACK.replace("ZeroDivisionError", "ValueError")))


def test_the_same_message_from_two_functions_is_two_errors():
    assert not same_error(documented("Cart 5 is empty"), documented("Cart 5 is empty", function="refill"))


def test_messages_of_data_only_are_distinguished_by_their_field_names():
    assert same_error("{'cart': 5, 'user': 'ada'}", "{'user': 'bo', 'cart': 7}")
    assert not same_error("{'cart': 5, 'user': 'ada'}", "{'parcel': 5, 'user': 'ada'}")


# --- Title and steps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (TRACEBACK, "ZeroDivisionError in discount: division by zero"),
        (NEWEST["cause"], "ReadingError in checked: readings of <number> stations are unusable"),
        (NEWEST["group"], "ExceptionGroup in all_of: unhandled errors in a TaskGroup (<number> sub-exceptions)"),
        (NEWEST["syntax"], "SyntaxError in night.rule"),
        ("Cart 5 of ada@example.org is empty\nsecond line", "Cart <number> of <email> is empty"),
        ("x" * 500, "x" * 119 + "…"),
        ("", "x"),
    ],
)
def test_the_title_names_the_error_in_one_short_line(text, title):
    assert fingerprint_of(text).title == title


def test_an_empty_mail_has_a_title():
    assert fingerprint_of("", subject="").title == "empty message"


def test_steps_explain_the_key():
    assert fingerprint_of(TRACEBACK.replace("division by zero", "cart 5")).steps == (
        "Python trace, 1 error in its chain",
        "exception type: ZeroDivisionError",
        "message: cart <number>",
        "replaced as number: 5",
        "counts: checkout (harbour/shop.py)",
        "counts: discount (harbour/catalogue.py)",
        "does not count: 1 frame (of libraries, or repeated)",
    )
    assert fingerprint_of(documented("Cart 5 is empty")).steps[:2] == (
        "no stack trace: the message and the location that logged it count",
        "logged by: shop/cart.py total",
    )


def test_a_key_has_32_hex_digits_and_a_version():
    found = fingerprint_of(TRACEBACK)

    assert found.version == VERSION == 2
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
def test_line_numbers_ids_folders_time_and_line_ends_make_no_difference(stack, root, other_root, line, ident, carets):
    one = f"2026-11-22 17:03:19,532 ERROR shop: job 5\n{trace(stack, root, 10, 4711, carets=False)}"
    other = f"2027-01-01 00:00:00,001 ERROR shop: job {ident}\n{trace(stack, other_root, line, ident, carets=carets)}"

    assert same_error(one, other.replace("\n", "\r\n"))


@settings(max_examples=100, deadline=None)
@given(stacks, roots, names)
def test_another_raising_function_is_always_another_error(stack, root, function):
    changed = [*stack[:-1], (*stack[-1][:2], f"{function}_x")]

    assert not same_error(trace(stack, root, 10, 1, carets=True), trace(changed, root, 10, 1, carets=True))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400), st.text(max_size=50))
def test_any_text_has_a_fingerprint(text, subject):
    found = fingerprint_of(text, subject)

    assert found == fingerprint_of(text, subject)
    assert 0 < len(found.title) <= MAX_TITLE
    assert "\n" not in found.title
    assert len(found.steps) <= MAX_STEPS
