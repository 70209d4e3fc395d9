"""Reports of mails: message and trace, headers of our client, name of the app, incomplete mails."""

from dataclasses import fields
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model import Form, Level, Retained
from relay.parse.report import CONTENT_NOT_KEPT, parse, parse_text
from tests.support.mails import DOCUMENTED, TRACEBACK, ends_of, mail, raw, record, stored
from tests.support.paths import DATA

ALL_STORED = sorted(file.name for file in (DATA / "mails").glob("*.eml"))


def parsed(content, apps=(), **more):
    return parse(record(content, **more), apps)


def app(name, sender="*", subject="*"):
    return SimpleNamespace(name=name, sender=sender, subject=subject)


# --- Message and trace ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message", "end"),
    [
        (
            "documented_recursion.eml",
            "Shelves of A cannot be counted",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "documented_exception_group.eml",
            "Prices could not be refreshed",
            "    +------------------------------------",
        ),
        ("default.eml", "Nightly totals failed", "ZeroDivisionError: division by zero"),
        ("flask_default.eml", "Exception on /checkout/0 [GET]", "ZeroDivisionError: division by zero"),
        ("django_without_request.eml", "Nightly totals failed", "Exception Value: division by zero"),
    ],
)
def test_message_and_trace_are_separated(name, message, end):
    report = parsed(stored(name))

    assert report.message == message
    assert report.trace.endswith(end)


def test_mail_without_a_formatter_is_the_default_or_plain_form():
    assert parsed(stored("flask_default.eml")).form is Form.DEFAULT
    assert parsed(stored("default_message_only.eml")).form is Form.PLAIN
    assert parsed(stored("default_message_only.eml")).message == "Stock of 978-1 is -3"


def test_text_below_the_trace_is_part_of_the_message():
    report = parse_text("x", f"Totals failed\n{TRACEBACK}\n\nRequest: 17\nUser: ada")

    assert report.message == "Totals failed\n\nRequest: 17\nUser: ada"
    assert report.trace == TRACEBACK


# --- Our client -------------------------------------------------------------------------------------------------------

CLIENT = {
    "X_Error_Mail_Client": "1",
    "X_Error_Mail_Record": "0123456789abcdef0123456789abcdef",
    "X_Error_Mail_Count": "17",
    "X_Error_Mail_Dropped": "3",
    "X_Error_Mail_App": "Bücher",
    "X_Error_Mail_Environment": "production",
    "X_Error_Mail_Logger": "harbour.nightly",
    "X_Error_Mail_Level": "CRITICAL",
    "X_Error_Mail_Host": "web-1",
    "X_Error_Mail_Release": "2026.11",
}


def test_every_header_of_our_client_is_read():
    report = parsed(mail(DOCUMENTED, **CLIENT), [app("by rule")])

    assert report.form is Form.CLIENT
    assert report.record_id == "0123456789abcdef0123456789abcdef"
    assert (report.count, report.dropped, report.level) == (17, 3, Level.CRITICAL)
    assert (report.app, report.environment, report.logger) == ("Bücher", "production", "harbour.nightly")
    assert (report.host, report.release) == ("web-1", "2026.11")
    assert report.function == "totals"


@pytest.mark.parametrize("count", ["0", "-1", "1000001", "1.5", "", "x", "٣", "9" * 50, "1 2"])
def test_invalid_count_is_read_as_one(count):
    assert parsed(mail("x", X_Error_Mail_Client="1", X_Error_Mail_Count=count)).count == 1


@pytest.mark.parametrize(("count", "expected"), [("1", 1), ("1000000", 1_000_000), (" 42 ", 42)])
def test_valid_count_is_read(count, expected):
    assert parsed(mail("x", X_Error_Mail_Count=count)).count == expected


@pytest.mark.parametrize(
    "record_id", ["0123456789ABCDEF0123456789ABCDEF", "0123", "g" * 32, "0" * 33, "../../etc/passwd"]
)
def test_invalid_record_id_is_ignored(record_id):
    assert parsed(mail("x", X_Error_Mail_Record=record_id)).record_id == ""


def test_client_headers_are_single_bounded_lines():
    report = parsed(raw("X-Error-Mail-App: " + "a" * 5_000 + "\nX-Error-Mail-Host: a\n b\x00c"))

    assert report.app == "a" * 200
    assert report.host == "a bc"


def test_mail_of_the_relay_itself_is_recognized():
    assert parsed(mail("x", X_Error_Mail_Relay="digest")).own
    assert not parsed(mail("x", X_Error_Mail_Client="1")).own


# --- Name of the app --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("YourApplication Failed", "YourApplication Failed"),
        ("Re: Fwd: YourApplication Failed", "YourApplication Failed"),
        ("[Django] ERROR: Internal Server Error: /x/1", "Django"),
        ("[shop-2] 3 errors", "shop-2"),
        ("[ERROR] errors#create", "[ERROR] errors#create"),
        ("Order 17 failed", "server-error@example.com"),
        ("x" * 61, "server-error@example.com"),
        ("", "server-error@example.com"),
    ],
)
def test_app_is_named_by_the_subject_else_by_the_sender(subject, expected):
    assert parsed(mail("x", subject=subject)).app == expected


def test_first_matching_rule_names_the_app():
    rules = [app("other", sender="*@example.net"), app("shop", sender="SERVER-error@*", subject="*failed"), app("late")]

    assert parsed(mail("x", subject="Harbour Books Failed"), rules).app == "shop"
    assert parsed(mail("x", subject="Other"), rules).app == "late"


def test_app_without_subject_and_sender_is_unknown():
    assert parsed(b"\r\nIt broke 2 times", sender="").app == "unknown app"
    assert parsed(b"\r\nIt broke 2 times", sender="App@Example.com").app == "app@example.com"


# --- Incomplete mails -------------------------------------------------------------------------------------------------


def test_mail_without_stored_content_has_a_fixed_message():
    report = parse(record(b"", retained=Retained.COUNT, size=4_711), [app("shop", sender="app@*")])

    assert report.message == CONTENT_NOT_KEPT
    assert (report.app, report.sender, report.size, report.trace) == ("shop", "app@books.example.org", 4_711, "")


@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
def test_exception_at_the_end_of_a_cut_mail_is_found(cte):
    rows = "\n".join(f"row {number}: nothing of note" for number in range(30_000))
    text = DOCUMENTED.replace("  twice\n", rows)

    report = parsed(ends_of(mail(text, cte=cte)), retained=Retained.ENDS, size=900_000)

    assert report.trace == TRACEBACK
    assert report.function == "totals"
    assert (report.cut, report.size) == (True, 900_000)
    assert "\n[... error-mail-relay: " in report.message


def test_trace_without_its_middle_is_one_trace():
    frames = (
        '  File "/srv/harbour/current/harbour/nightly.py", line 26, in depth\n    return 1 + depth(shelf)\n' * 9_000
    )
    text = f"Totals failed\nTraceback (most recent call last):\n{frames}RecursionError: too deep"

    report = parsed(ends_of(mail(text, cte="8bit")), retained=Retained.ENDS)

    assert report.message == "Totals failed"
    assert report.trace.startswith("Traceback (most recent")
    assert report.trace.endswith("RecursionError: too deep")


# --- Arbitrary input --------------------------------------------------------------------------------------------------

ONE_LINE = {field.name for field in fields(parse_text("", "")) if field.type == "str"} - {"message", "trace", "text"}


def assert_clean(report):
    for name in (*ONE_LINE, "message", "trace"):
        text = getattr(report, name)
        assert not any(ord(char) < 32 and char not in "\n\t" for char in text), name
        assert len(text) <= 256 * 1024 + 100, name
        assert name not in ONE_LINE or "\n" not in text, name
    assert report.app


@pytest.mark.parametrize("name", ALL_STORED)
def test_every_stored_mail_gives_clean_texts(name):
    assert_clean(parsed(stored(name)))


PIECES = """Message type: |Location: |Message:|Traceback (most recent call last):|  File "a.py", line 1, in f|E: x
Host: a|Django Version: 1|Level: error|{|}|"message": |[|    at f (a.js:1:2)|\tat a.B.c(D.java:1)|panic: x
goroutine 1 [running]:|a.rb:1:in `b'|ERROR |2026-11-22 17:03:19 |ü|\u2028|\x00|\r\n"""
words = st.sampled_from(["\n", *PIECES.replace("\n", "|").split("|")])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(words, st.text(max_size=20)), max_size=60), st.text(max_size=40))
def test_arbitrary_text_gives_a_report(pieces, subject):
    assert_clean(parse_text(subject, "".join(pieces)))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2_000), st.sampled_from(list(Retained)))
def test_arbitrary_bytes_give_a_report(content, retained):
    assert_clean(parse(record(content, retained=retained), ()))
