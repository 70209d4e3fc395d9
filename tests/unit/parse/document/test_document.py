"""Which part of a mail's text is taken for the error, and why."""

from itertools import cycle, product
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.grouping.fingerprint import fingerprint
from relay.model import Level
from relay.parameterize import failure_words
from relay.parameterize.template import parameterize
from relay.parse.document import segment
from relay.parse.document.document import read
from relay.parse.report import parse_text

LOG = """\
2026-11-30 09:15:42,100 INFO  com.acme.Billing - Opened invoice 4000
2026-11-30 09:15:42,120 WARN  com.acme.Billing - Gateway is slow
2026-11-30 09:15:42,173 ERROR com.acme.Billing - Payment gateway declined order 7001
2026-11-30 09:15:42,180 INFO  com.acme.Billing - Closed
"""
FAILURE = "Backup of the database failed: no space left on device"


def key(text, subject="Application error"):
    return fingerprint(parse_text(subject, text)).key


def title(text, subject="Application error"):
    return fingerprint(parse_text(subject, text)).title


def test_the_worst_record_of_a_log_is_the_error():
    found = read("", LOG)

    assert found.layout.text == "Payment gateway declined order 7001"
    assert (found.layout.level, found.reason) == (Level.ERROR, "worst of 4 log records")


def test_the_last_of_equally_bad_records_is_the_error_and_the_others_are_further_ones():
    found = read("", LOG + LOG.replace("declined order", "lost order"))

    assert found.layout.text == "Payment gateway lost order 7001"
    assert [each.text for each in found.further] == ["Payment gateway declined order 7001"]


def test_a_record_keeps_its_stack_trace():
    trace = 'Traceback (most recent call last):\n  File "shop.py", line 3, in pay\n    pay()\nValueError: no card'
    report = parse_text("", f"{LOG}2026-11-30 09:15:43,000 CRITICAL shop - Payment broke\n{trace}\n{LOG}")

    assert report.trace == trace
    assert report.level is Level.CRITICAL


@pytest.mark.parametrize("name", ["Exception type", "Error class", "예외 유형", "Ausnahmetyp", "异常类型"])
def test_a_labelled_exception_type_is_the_error(name):
    report = parse_text("", f"Host: web-1\n{name}: Shop.CartError\nError message: the cart is gone\nUptime: 3 days")

    assert report.message == "Shop.CartError: the cart is gone"
    assert report.reason == "labelled exception type"


@pytest.mark.parametrize(
    "text",
    [
        f"Hi,\n\nplease have a look.\n\n{FAILURE}\n\nBest regards,\nthe backup robot",
        f"This message was generated automatically. Do not reply.\n\n{FAILURE}",
        f"Host: web-3\nUptime: 4 days\nKernel: 6.1.0\n\n{FAILURE}\n\n-- \nExample GmbH, Musterstraße 1",
        f"안녕하세요.\n\n{FAILURE}\n\n본 메일은 자동으로 발송되었습니다.\n감사합니다.",
    ],
    ids=["greeting and signature", "notice", "system data", "Korean"],
)
def test_what_stands_around_the_failure_does_not_count(text):
    assert title(text) == FAILURE
    assert key(text) == key(FAILURE)


def test_the_line_that_names_the_failure_is_the_title_and_not_the_consequence():
    text = "+ make\nmain.c:12:5: error: 'left' undeclared\nmake: *** [all] Error 1\nFinished: FAILURE"

    assert title(text).endswith("error: <text> undeclared")


def test_a_label_announces_the_message_on_the_next_line():
    assert title("Try 1 out of 2\nException:\nBash command failed.\nHost: worker-1") == "Bash command failed."


def test_a_message_in_quotes_is_no_data():
    one, other = "RSYSLOG Alert\nmsg=' I/O error, dev sda'", "RSYSLOG Alert\nmsg=' card declined for order 17'"

    assert key(one) != key(other)
    assert title(other) == "card declined for order <number>"


def test_equal_texts_with_different_names_from_code_in_the_subject_are_two_errors():
    one, other = (f"Airflow alert 2026: <TaskInstance: etl.{task} [failed]>" for task in ("load_orders", "send_mail"))

    assert key("Bash command failed.", one) != key("Bash command failed.", other)


def test_a_subject_that_repeats_the_message_changes_nothing():
    text = "[2026-11-30T09:45:28.921] [ERROR] orders - Could not load the cart of user {}"
    one, other = (parse_text(f"Could not load the cart of user {u}", text.format(u)) for u in ("ada", "grace"))

    assert (one.app, fingerprint(one).key) == (other.app, fingerprint(other).key)


def test_a_wrapped_sentence_is_one_line_again():
    wrapped = "The import of the price list of the supplier failed because\nthe file has no column with the price"

    assert key(wrapped) == key(wrapped.replace("\n", " "))


# --- Any text ---------------------------------------------------------------------------------------------------------

PREAMBLES = st.lists(
    st.sampled_from(["Hello team,", "Report of the night", "Host: web-3\nUptime: 4 days", "Words about the weather"]),
    max_size=4,
    unique=True,
)


@settings(max_examples=200, deadline=None)
@given(PREAMBLES, st.permutations(["", "Kind regards,\nthe robot"]))
def test_the_order_of_blocks_in_front_never_changes_the_fingerprint(preamble, ends):
    text = "\n\n".join([*preamble, FAILURE, ends[0]])

    assert key(text) == key(FAILURE)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400), st.text(max_size=60))
def test_any_text_gives_a_document(text, subject):
    found = read(subject, text)

    assert found.reason
    assert isinstance(found.layout.text, str)


@pytest.mark.parametrize(
    "unit",
    ["a: b\n", "[ERROR] x\n", "2026-11-30 09:15:42 ", "|" * 9, "error: ", "= ", "a" * 79 + "\n", "x=1 ",
     '{"level":"error",', "at ", "<tr><th>a</th>", "失败", "\u3000:", "(" * 40, "Caused by:\n", "[",
     "\n\n", "- - ", "Error "],
)  # fmt: skip
def test_characters_that_are_looked_at_grow_no_faster_than_the_text(unit, monkeypatch):
    """In lines that all differ, so that no memory of earlier lines helps."""
    small, large = (scored_characters(distinct_lines(unit, size), monkeypatch) / size for size in (8_000, 64_000))

    assert large <= max(4.0, 1.2 * small)


def scored_characters(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    score = MagicMock(wraps=failure_words.score)
    with monkeypatch.context() as patched:
        patched.setattr(failure_words, "score", score)
        assert read("", text).reason
    return sum(len(call.args[0]) for call in score.call_args_list)


def distinct_lines(unit: str, size: int) -> str:
    piece = unit.replace("\n", " ")
    line = (piece * 70)[:70]
    return "\n".join(f"{mark}{number} {line}" for number, mark in zip(range(size // 76), cycle("abc"), strict=False))


def test_a_long_list_is_compared_without_data_in_its_first_lines_alone(monkeypatch):
    compare = MagicMock(wraps=parameterize)
    monkeypatch.setattr(segment, "parameterize", compare)
    words = ["".join(word) for word in product("abcdefghij", repeat=4)]

    segment.blocks_of([f"the job {word} failed" for word in words][:1_500])

    assert compare.call_count == 200
