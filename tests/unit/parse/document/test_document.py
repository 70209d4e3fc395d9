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


# --- What a mail says besides the failure -----------------------------------------------------------------------------


def test_a_bare_word_of_state_does_not_name_the_failure():
    text = "Notification Type: PROBLEM\n\nAddress: 192.0.2.3\nInfo: Packet loss is too high"

    assert title(text) == "Packet loss is too high"


def test_a_sentence_that_announces_lines_gives_way_to_them():
    text = (
        "The log of the mail server has a non-zero size, mail might be broken. Up to 10 lines are quoted below.\n\n"
        "2026-11-28 07:00:31 socket bind() to port 25 failed: Cannot assign requested address\n"
    )

    assert "Cannot assign requested address" in title(text)


def test_a_count_of_alerts_gives_way_to_the_alert_that_is_described():
    text = (
        "You have 1 firing alert(s) in production\n\nLabels: alertname=Cert severity=warning\nSummary: Expiry in 6 days"
    )

    assert title(text) == "Expiry in <duration>"
    assert parse_text("x", text).level is Level.WARNING


def test_the_sentence_that_a_script_failed_gives_way_to_its_output():
    text = "Release script failed.\n\n--- last 5 lines of output ---\napplied 002\nrelation is locked by x\n"

    assert "locked" in title(text)


def test_a_qualified_class_at_the_beginning_of_a_line_is_an_exception():
    text = "Results of the run\n\nShell::Out::CommandFailed: exit 137\nSTDERR: Killed\n"

    assert "CommandFailed" in title(text)


def test_a_reason_that_names_no_failure_does_not_split_an_error():
    built = "A failed build was found.\n\nError: failed 'pytest'\nBuild Reason: {} triggered this build\n"

    assert key(built.format("The nightly scheduler")) == key(built.format("A push of ann"))


@pytest.mark.parametrize("subject", ["[FIRING:1] Latency", "[FIRING:12] Latency", "[RESOLVED] Latency"])
def test_the_state_in_the_brackets_of_a_subject_is_no_app(subject):
    assert parse_text(subject, "Latency is too high").app not in {"FIRING:1", "FIRING:12", "RESOLVED"}


def test_a_severity_behind_its_number_is_the_level():
    assert parse_text("x", "Severity: (4) Warning\nMessage: Invalid argument").level is Level.WARNING
