"""The documented formats, letter for letter."""

import logging

import app_client


def record(**changes) -> logging.LogRecord:
    made = logging.LogRecord(
        "yourapplication", logging.ERROR, "/app/views.py", 42, "no %s", ("stock",), None, "checkout"
    )
    made.__dict__.update(changes)
    return made


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
