"""Reports of Django, as text and as HTML: message, request and trace, without settings."""

import re

import pytest

from relay.grouping.fingerprint import fingerprint
from relay.model import Form, Level
from tests.support.mails import read_by_relay, stored
from tests.support.paths import DATA


@pytest.mark.parametrize("name", ["django_text.eml", "django_html.eml"])
def test_django_report_gives_message_request_and_trace(name):
    report = read_by_relay(stored(name))

    assert report.form is Form.DJANGO
    assert report.level is Level.ERROR
    assert report.app == "Django"
    assert report.message.split("\n")[0] == "Internal Server Error: /books/978-9/"
    assert re.search(
        r"\nRequest Method: (GET|POST)\nRequest URL: http://books\.example\.org/books/978-9/", report.message
    )
    assert report.trace.startswith("Traceback (most recent call last):\n  File ")
    assert "Exception Type: PriceError at /books/978-9/\nException Value: no price for 978-9" in report.trace


@pytest.mark.parametrize("name", sorted(file.name for file in (DATA / "mails").glob("django*.eml")))
def test_settings_and_request_data_of_django_are_left_out(name):
    report = read_by_relay(stored(name))

    assert not re.search("opensesame|SECRET_KEY|ALLOWED_HOSTS|HTTP_|MIDDLEWARE", report.message + report.trace)


def test_django_mail_without_a_trace_gives_its_message():
    report = read_by_relay(stored("django_message_only.eml"))

    assert report.message == "Stock of 978-1 is -3"
    assert report.trace == ""


def test_django_report_in_html_only_has_the_same_fingerprint():
    content = stored("django_html.eml")
    html = content[content.index(b"Content-Type: text/html") :]
    report = read_by_relay(b"Subject: [Django] ERROR (EXTERNAL IP): Internal Server Error: /books/978-9/\r\n" + html)

    assert report.form is Form.DJANGO
    assert report.message.split("\n")[:3] == ["Internal Server Error: /books/978-9/", "", "Request Method: POST"]
    assert fingerprint(report) == fingerprint(read_by_relay(content))
    assert "opensesame" not in report.message + report.trace
