"""The documented formats, and how the formatters treat requests, times and forged lines."""

import logging
import re
import time
from datetime import UTC, datetime

import pytest

import app_client
from relay.grouping.fingerprint import fingerprint
from relay.parse.report import parse_text
from tests.support.log_records import FACTS, FORGERY, raised, record


def test_mail_format_is_the_documented_one():
    expected = (
        "\n"
        "Message type:       %(levelname)s\n"
        "Location:           %(pathname)s:%(lineno)d\n"
        "Module:             %(module)s\n"
        "Function:           %(funcName)s\n"
        "Time:               %(asctime)s\n"
        "\n"
        "Message:\n"
        "\n"
        "%(message)s\n"
    )

    assert expected == app_client.MAIL_FORMAT


def test_file_format_is_the_documented_one():
    assert app_client.FILE_FORMAT == "%(asctime)s %(levelname)s: %(message)s [in %(pathname)s:%(lineno)d]"


def test_mail_formatter_appends_the_traceback():
    try:
        1 / 0  # noqa: B018 - fails
    except ZeroDivisionError as error:
        info = (type(error), error, error.__traceback__)

    text = app_client.mail_formatter().format(record(exc_info=info))

    assert text.startswith(
        "\nMessage type:       ERROR\nLocation:           /app/views.py:42\nModule:             views\n"
    )
    assert "\nMessage:\n\nno stock\nTraceback (most recent call last):\n" in text
    assert text.endswith("ZeroDivisionError: division by zero")


def test_file_formatter_makes_one_line():
    assert app_client.file_formatter().format(record(asctime="")).endswith(" ERROR: no stock [in /app/views.py:42]")


def test_a_newline_in_a_message_forges_no_line_in_a_file():
    text = app_client.file_formatter().format(record(msg=FORGERY, args=()))

    assert len(text.splitlines()) == 1
    assert r"no\n2024-05-01 12:00:00,000 CRITICAL: forged\r\x1b[1A\u2028forged too\u202e [in /app" in text


@pytest.mark.parametrize("field", ["name", "pathname", "levelname", "url"])
def test_a_newline_in_any_field_forges_no_line(field):
    formatter = app_client.FileFormatter("%(name)s %(pathname)s %(levelname)s %(url)s: %(message)s")

    assert len(formatter.format(record(**{field: FORGERY})).splitlines()) == 1


def test_a_traceback_forges_no_line_in_a_file():
    """Only the record itself starts in the first column, for any text of the exception."""
    text = app_client.file_formatter().format(record(exc_info=raised(ValueError(FORGERY)), stack_info=FORGERY))
    first, *rest = text.splitlines()

    assert first.endswith("ERROR: no stock [in /app/views.py:42]")
    assert "    Traceback (most recent call last):" in rest
    assert "    2024-05-01 12:00:00,000 CRITICAL: forged\\r\\x1b[1A\\u2028forged too\\u202e" in rest
    assert all(line.startswith("    ") for line in rest)


def test_a_single_line_holds_its_traceback():
    text = app_client.FileFormatter(single=True).format(record(exc_info=raised(ValueError("a\nb"))))

    assert len(text.splitlines()) == 1
    assert text.endswith(r"ValueError: a\nb")


def test_text_in_any_language_is_unchanged():
    assert "größer 注文\t✓" in app_client.file_formatter().format(record(msg="größer 注文\t✓", args=()))


@pytest.mark.parametrize("make", [app_client.mail_formatter, app_client.file_formatter])
def test_iso_time_has_the_zone(make):
    text = make(iso_time=True).format(record(created=1714557600.25))
    [time_text] = re.findall(r"2024-\S+", text)

    assert datetime.fromisoformat(time_text) == datetime.fromtimestamp(1714557600.25, UTC)
    assert datetime.fromisoformat(time_text).tzinfo is not None


def test_iso_time_follows_the_converter():
    formatter = app_client.file_formatter(iso_time=True)
    formatter.converter = time.gmtime

    assert formatter.format(record(created=1714557600.25)).startswith("2024-05-01T10:00:00.250+00:00 ERROR")


def test_times_have_the_standard_format_by_default():
    same = record(created=1714557600.25)

    assert app_client.file_formatter().format(same) == logging.Formatter(app_client.FILE_FORMAT).format(same)


def test_mail_without_facts_equals_that_of_the_standard_formatter():
    failed = record(exc_info=raised(ValueError("a\nb")))
    ours = app_client.mail_formatter().format(failed)

    assert failed.exc_text is None, "a cached traceback would hide a formatException() of the next formatter"
    assert ours == logging.Formatter(app_client.MAIL_FORMAT).format(failed)


def test_request_block_comes_before_the_documented_part():
    text = app_client.mail_formatter(facts=lambda: FACTS).format(record())

    assert text.startswith(
        "\n"
        "Request:            GET https://shop.example/orders?customer=anna&token=[masked]\n"
        "Endpoint:           orders\n"
        "Remote address:     203.0.113.7\n"
        "User agent:         curl/8\n"
        "Request id:         r-17\n"
        "User:               42\n"
        "\n"
        "Message type:       ERROR\n"
    )
    assert text.endswith("\nMessage:\n\nno stock\n")


@pytest.mark.parametrize("facts", [None, lambda: None, app_client.RequestFacts])
def test_without_a_request_the_mail_is_the_documented_one(facts):
    same = record()

    assert app_client.mail_formatter(facts=facts).format(same) == app_client.mail_formatter().format(same)


def test_request_block_does_not_change_the_fingerprint():
    for failed in (record(), record(exc_info=raised(ValueError("broken")))):
        texts = [app_client.mail_formatter(facts=facts).format(failed) for facts in (None, lambda: FACTS)]
        reports = [parse_text("Failed", text) for text in texts]

        assert len({fingerprint(report).key for report in reports}) == 1
        assert [report.location for report in reports] == ["/app/views.py:42"] * 2


def test_a_custom_format_may_use_facts():
    fmt = "%(remote_addr)s requested %(method)s %(url)s: %(message)s"
    formatter = app_client.FileFormatter(fmt, facts=lambda: FACTS)
    alone = app_client.FileFormatter(fmt)

    assert formatter.format(record()).startswith("203.0.113.7 requested GET https://shop.example/orders?")
    assert alone.format(record()) == "- requested - -: no stock"
    assert formatter.format(record(remote_addr="its own")).startswith("its own requested")


def test_formatting_does_not_change_the_record():
    untouched = record(exc_info=raised(ValueError("broken")))
    before = dict(vars(untouched))

    for formatter in (app_client.MailFormatter, app_client.FileFormatter, app_client.JsonFormatter):
        formatter(facts=lambda: FACTS).format(untouched)

    assert vars(untouched) == before


def test_facts_are_bounded_and_in_one_line():
    facts = app_client.RequestFacts(user_agent=FORGERY, url="https://shop.example/" + "x" * 100_000)

    assert len(facts.user_agent.splitlines()) == 1
    assert len(facts.url) == 2000


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://x/?a=1&password=hunter2&b=2", "http://x/?a=1&password=[masked]&b=2"),
        ("http://x/?X-Api-Key=abc;access_token=def", "http://x/?X-Api-Key=[masked];access_token=[masked]"),
        ("http://x/callback?code=abc&state=def", "http://x/callback?code=[masked]&state=[masked]"),
        ("http://anna:hunter2@x/a@b", "http://[masked]@x/a@b"),
        ("http://x/?author=anna&passenger=2&tokens", "http://x/?author=anna&passenger=2&tokens"),
    ],
)
def test_secrets_in_a_url_are_masked(url, masked):
    assert app_client.RequestFacts(url=url).url == masked


@pytest.mark.parametrize("base", [app_client.MailFormatter, app_client.FileFormatter, app_client.JsonFormatter])
def test_overridden_methods_of_a_subclass_are_called(base):
    """Also after another handler has formatted the same record: standard formatters would reuse its traceback."""

    class Own(base):  # type: ignore[valid-type, misc]  # whichever it is
        def format(self, record):
            record.msg = "changed: " + record.msg
            return super().format(record)

        def formatTime(self, record, datefmt=None):  # noqa: N802 - the standard name
            return "half past nine"

        def formatException(self, ei):  # noqa: N802 - the standard name
            return f"it was a {ei[0].__name__}"

    failed = record(exc_info=raised(ValueError("broken")))
    logging.Formatter().format(failed)
    text = Own().format(failed)

    assert "changed: no stock" in text
    assert "half past nine" in text
    assert "it was a ValueError" in text
    assert "Traceback" not in text
