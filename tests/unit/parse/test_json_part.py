"""The JSON part of a mail from an untrusted sender: it never overrides the text of the mail."""

import base64
import json
import string
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.grouping.fingerprint import fingerprint
from relay.ledger.rows import report_json, report_of
from relay.model import Report, Retained
from relay.parse import json_part
from relay.parse.json_part import EMPTY
from relay.parse.mime import one_line
from relay.parse.report import parse
from relay.redact import redact
from tests.support.mails import TRACEBACK, ends_of, record

TEXT = f"""
Message type:       ERROR
Location:           /srv/harbour/current/harbour/shop.py:9
Module:             shop
Function:           checkout
Time:               2026-11-22 17:03:00,000

Message:

Exception on /checkout [POST]
{TRACEBACK}
"""
MESSAGE_ONLY = TEXT.partition("Exception on")[0] + "no such customer: anna\n"
FRAME = {"file": "/srv/other/views.py", "line": 3, "function": "pay", "module": "views", "in_app": True}


def mail(content: Any, *, text: str = TEXT, client: str = "X-Error-Mail-Client: 1\n", encoding: str = "7bit") -> bytes:
    source = content if isinstance(content, str) else json.dumps(content)
    part = base64.encodebytes(source.encode("utf-8", "surrogatepass")).decode() if encoding == "base64" else source
    return (
        f"From: server-error@example.com\nSubject: Failed\n{client}MIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
        f"--b\nContent-Type: application/vnd.error-mail+json\nContent-Transfer-Encoding: {encoding}\n\n{part}\n--b--\n"
    ).encode("utf-8", "surrogatepass")


def parsed(content: Any, **options: Any) -> Report:
    return redact(parse(record(mail(content, **options)), ()))


BARE = parsed("")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = [
    "app", "environment", "release", "host", "logger", "level", "location", "module", "function", "thread", "process",
    "message", "exceptions", "request", "template", "arguments", "type", "file", "line", "in_app", "frames", "link",
    "members", "id", "name", "method", "url", "user_id", "left_out",
]  # fmt: skip
PLAUSIBLE = st.recursive(
    st.text(max_size=30) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=30,
)


@given(content=st.dictionaries(st.sampled_from(NAMES), ANYTHING | PLAUSIBLE, max_size=12))
def test_arbitrary_json_changes_nothing_that_the_text_states(content):
    """Fields from the text or a header stay, the fingerprint stays, and all texts are bounded, clean and storable."""
    report = parsed({"version": 1} | content, encoding="base64")

    for name in ("form", "subject", "sender", "app", "level", "logger", "location", "module", "function", "time"):
        assert getattr(report, name) == getattr(BARE, name), name
    assert (report.message, report.trace, report.count) == (BARE.message, BARE.trace, 1)
    assert fingerprint(report).key == fingerprint(BARE).key
    texts = [report.host, report.release, report.environment, report.process, report.thread, report.logger]
    texts += [text for pair in report.request for text in pair]
    assert all(len(text) <= 600 and one_line(text, 600) == text for text in texts if text)
    assert not {unicodedata.category(char) for text in texts if text for char in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert report_of(report_json(report)) == replace(report, app_guessed=False)  # not stored


@given(text=st.text(max_size=200) | st.text(alphabet=string.punctuation + "01ne", max_size=200))
def test_arbitrary_text_is_accepted(text):
    assert json_part.read(text) == EMPTY or text.strip()[:1] == "{"


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "17", "{}", "not json", '{"version": 2}', '{"version": true}', '{"version": 1.0}',
        '{"version": "1"}', '{"version": 1', "[" * 60_000, '{"a":' * 12_000, '{"version": 1, "line": ' + "9" * 60_000,
    ],
    ids=lambda text: text[:16],
)  # fmt: skip
def test_invalid_json_part_is_ignored(text):
    assert json_part.read(text) == EMPTY
    assert replace(parsed(text), size=0) == replace(BARE, size=0)


def test_json_part_is_only_read_in_mails_of_our_client():
    assert parsed({"version": 1, "host": "web-9"}).host == "web-9"
    assert parsed({"version": 1, "host": "web-9"}, client="").host == ""


def test_json_part_that_is_too_long_is_ignored():
    assert parsed({"version": 1, "host": "web-9", "padding": "x" * 70_000}).host == ""


def test_json_part_is_found_in_a_cut_mail():
    """The text, without its middle, is still read as the text."""
    long = TEXT.replace("Exception on", "x" * 400_000 + "\nException on")
    content = mail({"version": 1, "release": "2026.3"}, text=long)
    report = parse(record(ends_of(content.replace(b"\n", b"\r\n")), retained=Retained.ENDS), ())

    assert report.release == "2026.3"
    assert report.trace.endswith("ZeroDivisionError: division by zero")


def test_headers_and_labels_take_precedence():
    header = "X-Error-Mail-Client: 1\nX-Error-Mail-Host: web-1\nX-Error-Mail-Count: 7\n"
    lies = {"version": 1, "host": "evil", "module": "evil", "location": "/evil.py:1", "count": 99, "record": "f" * 32}
    report = parsed(lies, client=header)

    assert (report.host, report.module, report.count, report.record_id) == ("web-1", "shop", 7, "")
    assert report.location == "/srv/harbour/current/harbour/shop.py:9"


def test_value_stays_on_one_line():
    report = parsed({"version": 1, "thread": "a\r\nBcc: x@y\u2028z\x1b[31m", "request": {"url": "a\nUser: b"}})

    assert report.thread == "a Bcc: x@y z"
    assert report.request == (("Request", "a User: b"),)


def test_request_in_the_text_takes_precedence():
    text = "Request:   GET /from-text\n" + TEXT

    assert parsed({"version": 1, "request": {"url": "/lie"}}, text=text).request == (("Request", "GET /from-text"),)
    assert parsed({"version": 1, "request": {"url": "/pay", "evil": "x"}}).request == (("Request", "/pay"),)


def test_secrets_in_the_json_part_are_redacted():
    secret = "hunter2hunter2"
    report = parsed(
        {
            "version": 1,
            "thread": f"worker password={secret}",
            "request": {"url": f"https://x/reset?token={secret}", "user_agent": f"curl {secret}"},
            "message": {"template": f"no such customer: %s {secret}", "arguments": ["str"]},
            "exceptions": [{"type": "E", "message": f"password={secret}", "frames": [FRAME]}],
        },
        text=MESSAGE_ONLY.replace("anna", f"anna {secret}"),
    )

    assert secret not in report_json(report)
    assert report.request[0] == ("Request", "https://x/reset?token=[masked]")


def test_process_and_thread_are_read():
    assert parsed({"version": 1, "process": {"id": 7, "name": "MainProcess"}}).process == "7"
    assert parsed({"version": 1, "process": {"id": 7, "name": "Fork-1"}, "thread": "t"}).process == "7 (Fork-1)"
    assert parsed({"version": 1, "process": {"id": -7}}).process == ""


# --- Exceptions -------------------------------------------------------------------------------------------------------


def exceptions(*errors: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "exceptions": list(errors)}


def test_trace_is_taken_from_the_json_part_if_the_text_has_none():
    """Types are named as Python prints them: built-in types without their module."""
    cause = {"type": "KeyError", "module": "builtins", "message": "'a'", "frames": [FRAME], "link": "cause"}
    last = {"type": "PaymentError", "module": "shop.errors", "message": "no\nway", "frames": [FRAME]}

    assert parsed(exceptions(last, cause), text=MESSAGE_ONLY).trace == (
        "Traceback (most recent call last):\n"
        '  File "/srv/other/views.py", line 3, in pay\n'
        "KeyError: 'a'\n"
        "\nThe above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n"
        '  File "/srv/other/views.py", line 3, in pay\n'
        "shop.errors.PaymentError: no\nway"
    )


def test_trace_in_the_text_takes_precedence():
    assert parsed(exceptions({"type": "Lie", "message": "x", "frames": [FRAME]})).trace == BARE.trace


def test_exception_that_was_never_raised_has_no_trace():
    """Python prints only the last line for such an exception."""
    assert parsed(exceptions({"type": "E", "module": "m", "message": "x"}), text=MESSAGE_ONLY).trace == ""


def test_frames_and_chains_are_bounded():
    error = {"type": "E", "message": "m" * 10_000, "frames": [FRAME] * 900}
    trace = json_part.read(json.dumps(exceptions(*[error] * 40))).trace

    assert trace.count("Traceback") == json_part.MAX_ERRORS
    assert trace.count("File") == json_part.MAX_ERRORS * json_part.MAX_FRAMES
    assert max(map(len, trace.split("\n"))) <= json_part.MAX_MESSAGE + 100


# --- The app's own package --------------------------------------------------------------------------------------------

INSTALLED = """
Message type:       ERROR

Message:

failed
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/acme_gateway/serve.py", line {line}, in {wrapper}
    return app(environ)
  File "/venv/lib/python3.11/site-packages/shop/views.py", line 7, in {function}
    raise ValueError("broken")
ValueError: broken
"""


def installed(wrapper: str, function: str, package: str = "shop") -> str:
    text = INSTALLED.format(line=5, wrapper=wrapper, function=function)
    frame = {"file": f"/venv/lib/python3.11/site-packages/{package}/views.py", "function": "f", "in_app": True}
    return fingerprint(parsed(exceptions({"type": "ValueError", "frames": [frame]}), text=text)).key


def test_declared_app_package_is_used_if_the_text_does_not_show_the_app():
    """Without the JSON part, the outermost package counts as the app."""
    assert installed("call", "pay") == installed("dispatch", "pay")
    assert installed("call", "pay") != installed("call", "refund")


def test_declared_package_that_is_not_in_the_trace_is_ignored():
    text = INSTALLED.format(line=5, wrapper="call", function="pay")

    assert installed("call", "pay", package="elsewhere") == fingerprint(parsed("", text=text)).key


def test_declared_package_is_ignored_if_the_text_shows_app_frames():
    flask = {"file": "/venv/lib/python3.11/site-packages/flask/app.py", "function": "wsgi_app", "in_app": True}
    report = parsed(exceptions({"type": "ZeroDivisionError", "frames": [flask]}))

    assert report.app_package == "flask"
    assert fingerprint(report).key == fingerprint(BARE).key
