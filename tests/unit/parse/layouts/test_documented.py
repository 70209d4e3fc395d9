"""The documented mail format: labels, message and trace, also if the mail was reformatted on its way."""

import re

import pytest

from relay.model import Form, Level
from relay.parse.report import parse_text
from tests.support.mails import DOCUMENTED, read_by_relay, stored


def test_documented_format_gives_labels_message_and_trace():
    report = read_by_relay(stored("flask_documented.eml"))

    assert report.form is Form.DOCUMENTED
    assert report.level is Level.ERROR
    assert report.location == "/srv/harbour/venv/lib/python3.11/site-packages/flask/app.py:875"
    assert (report.module, report.function) == ("app", "log_exception")
    assert re.fullmatch(r"2026-11-22 \d\d:\d\d:\d\d,\d{3}", report.time)
    assert report.message == "Exception on /checkout/0 [GET]"
    assert report.trace.startswith("Traceback (most recent call last):\n  File ")
    assert report.trace.endswith("\nZeroDivisionError: division by zero")
    assert (report.subject, report.sender) == ("Harbour Books Failed", "server-error@example.com")
    assert report.app == "Harbour Books Failed"
    assert (report.count, report.dropped, report.record_id, report.own, report.cut) == (1, 0, "", False, False)


def test_documented_format_in_quoted_printable_is_parsed():
    report = read_by_relay(stored("flask_documented_chain.eml"))

    assert report.location == "/srv/harbour/venv/lib/python3.11/site-packages/flask/app.py:875"
    assert report.message == "Exception on /münze/978-9 [GET]"
    assert "KeyError: '978-9'\n\nThe above exception was the direct cause" in report.trace
    assert report.trace.endswith("harbour.catalogue.PriceError: no price for 978-9")


def test_message_of_several_lines_without_a_trace_is_parsed():
    report = read_by_relay(stored("documented_message_only.eml"))

    assert report.message == "Bestellung 4711 für „Jürgen Öztürk“ fehlgeschlagen:\nKarte abgelehnt,\nbitte prüfen"
    assert report.trace == ""
    assert (report.module, report.function) == ("nightly", "report_refusal")


def test_long_folded_line_is_restored_and_the_level_is_parsed():
    report = read_by_relay(stored("documented_long_line.eml"))

    assert report.message == "Import stopped at " + "x" * 1500 + " the end"
    assert report.level is Level.CRITICAL


@pytest.mark.parametrize(
    "reformat",
    [
        str,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "Hello,\n\nyour app wrote this:\n" + text,
        lambda text: text.replace("\n", "\n    "),
        lambda text: text.replace("\n", "\n> "),
        lambda text: text.replace(":       ", ":").replace(":           ", ": "),
        lambda text: text.upper().split("MESSAGE:")[0] + "Message:" + text.split("Message:")[1],
    ],
    ids=["as it is", "CRLF", "text before", "indented", "quoted", "narrow", "capitals"],
)
def test_reformatted_mail_is_parsed(reformat):
    report = parse_text("x", reformat(DOCUMENTED))

    assert report.form is Form.DOCUMENTED
    assert report.level is Level.CRITICAL
    assert report.location.lower() == "/srv/harbour/current/harbour/nightly.py:9"
    assert report.message == "Totals failed:\n  twice"
    assert report.trace.endswith("ZeroDivisionError: division by zero")


def test_missing_labels_give_empty_fields():
    report = parse_text("x", "Message type: WARNING\n\nMessage:\n\nLow on ink\n")

    assert (report.form, report.level, report.message) == (Form.DOCUMENTED, Level.WARNING, "Low on ink")
    assert (report.location, report.module, report.function, report.time) == ("", "", "", "")


def test_message_on_the_line_of_its_label_is_parsed():
    assert parse_text("x", "Message type: ERROR\nLocation: a.py:1\nMessage: Low on ink").message == "Low on ink"


@pytest.mark.parametrize(
    "text", ["Message: Low on ink", "Time: 5\nMessage: Low on ink", "Location: Hall 3\n\nLow on ink"]
)
def test_single_label_does_not_make_the_documented_format(text):
    assert parse_text("x", text).form is Form.PLAIN
