"""Situations: which of the seven a text shows and, more important, which it does not show."""

import re
import time
import tomllib
from collections import Counter
from dataclasses import replace

import pytest

from relay import traces
from relay.config import make_settings
from relay.grouping.fingerprint import fingerprint
from relay.grouping.routing import Router
from relay.model import Situation
from relay.parse.report import parse, parse_text
from relay.parse.situations import MAX_REASON, situation
from relay.redact import redact
from tests.support.mails import raw, record
from tests.support.paths import DOCS
from tests.support.situations import LOGGED_MATCHING, LOGGED_MISLEADING, MATCHING, MISLEADING, printed

PAGE = DOCS / "app-client.md"


def found_label(text: str) -> str | None:
    hint = situation(traces.find(text), "Exception on /checkout [POST]")
    return hint[0].value if hint else None


@pytest.mark.parametrize("case", MATCHING, ids=str)
def test_situation_is_found_in_the_text(case):
    assert found_label(printed(case.chain)) == case.label


@pytest.mark.parametrize("case", MISLEADING, ids=str)
def test_misleading_text_shows_no_situation(case):
    assert found_label(printed(case.chain)) is None


def test_table_has_enough_cases():
    counted = Counter(case.label for case in MATCHING)

    assert len({printed(case.chain) for case in MISLEADING}) >= 60
    assert set(counted) == {each.value for each in Situation}
    assert min(counted.values()) >= 4


@pytest.mark.parametrize(("message", "label"), LOGGED_MATCHING)
def test_log_message_that_quotes_an_exception_shows_the_situation(message, label):
    hint = situation(None, message)

    assert hint is not None
    assert hint[0] == label


@pytest.mark.parametrize("message", LOGGED_MISLEADING)
def test_misleading_log_message_shows_no_situation(message):
    assert situation(None, message) is None


@pytest.mark.parametrize(
    ("label", "about", "reason"),
    [
        ("database overloaded", "SQLAlchemy over sqlite3", "OperationalError: database is locked"),
        ("file system full", "with its name", "OSError: [Errno 28] No space left on device"),
        ("client gone", "gunicorn writes an answer", "BrokenPipeError: [Errno 32] Broken pipe"),
        ("backend overloaded", "requests: 429", "HTTPError: HTTP 429"),
        ("bug in a library", "Jinja divides by zero", "ZeroDivisionError in sync_do_slice (jinja2/filters.py)"),
        ("network down", "urllib: refused", "URLError: [Errno 111] Connection refused"),
    ],
)
def test_reason_names_the_exception_and_phrase(label, about, reason):
    [case] = [case for case in MATCHING if (case.label, case.about) == (label, about)]

    assert situation(traces.find(printed(case.chain)), "") == (label, reason)


@pytest.mark.parametrize(
    "text",
    [
        "[Errno " * 200_000,
        "(" * 500_000,
        "A" * 500_000 + "Error: x",
        "a." * 300_000 + "Error: x",
        'Traceback (most recent call last):\n  File "/a.py", line 1, in f\nsqlite3.OperationalError: '
        + "FATAL: " * 90_000,
        'Traceback (most recent call last):\n  File "/a.py", line 1, in f\nOSError: ' + "[Errno 1] " * 90_000,
        ('Traceback (most recent call last):\n  File "/a.py", line 1, in f\nOSError: x\n\n' * 5_000),
    ],
    ids=["errno", "brackets", "word", "dots", "fatal", "many errnos", "long chain"],
)
def test_hostile_text_is_classified_in_bounded_time(text):
    """Only first lines are read. The limit of one second is a hundred times the usual duration."""
    trace = traces.find(text)
    begun = time.process_time()
    hint = situation(trace, text)

    assert time.process_time() - begun < 1
    assert hint is None


# --- In the report ----------------------------------------------------------------------------------------------------

LOCKED = printed(next(case.chain for case in MATCHING if case.about == "sqlite3"))


def test_report_has_the_situation_and_the_reason():
    report = parse_text("YourApplication Failed", f"Exception on /checkout [POST]\n{LOCKED}")

    assert report.situation is Situation.DATABASE_OVERLOADED
    assert report.situation_reason == "OperationalError: database is locked"


def test_client_header_takes_precedence_over_the_text():
    head = (
        "X-Error-Mail-Client: 1\nX-Error-Mail-Situation: disk broken\nX-Error-Mail-Situation-Reason: OSError: a\n b c"
    )
    report = parse(record(raw(head, LOCKED.encode())), ())

    assert (report.situation, report.situation_reason) == (Situation.DISK_BROKEN, "OSError: a b c")


@pytest.mark.parametrize("value", ["", "disk", "DISK BROKEN", "disk broken; x", "=?utf-8?q?disk_is_broken?="])
def test_header_with_an_unknown_situation_is_ignored(value):
    head = f"X-Error-Mail-Client: 1\nX-Error-Mail-Situation: {value}\nX-Error-Mail-Situation-Reason: made up"
    report = parse(record(raw(head, LOCKED.encode())), ())

    assert report.situation is Situation.DATABASE_OVERLOADED
    assert report.situation_reason == "OperationalError: database is locked"


def test_reason_is_bounded_and_redacted():
    reason = "password=hunter2secret " + "x" * 900
    head = f"X-Error-Mail-Client: 1\nX-Error-Mail-Situation: network down\nX-Error-Mail-Situation-Reason: {reason}"
    report = redact(parse(record(raw(head)), ()))

    assert len(report.situation_reason) <= MAX_REASON
    assert "hunter2secret" not in report.situation_reason


def test_documented_routes_match_their_situations(tmp_path):
    section = PAGE.read_text().partition("\n## The seven situations\n")[2].partition("\n## ")[0]
    tables = tomllib.loads(re.findall(r"^```toml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[0])
    router = Router(make_settings(tmp_path, admins=["yourname@example.com"], **tables).routes)
    report = parse_text("YourApplication Failed", LOCKED)

    def route_for(label):
        return router.route(replace(report, situation=label), "x")

    assert route_for(Situation.NETWORK_DOWN) == "operations"
    assert route_for(Situation.DISK_BROKEN) == "disks"
    assert route_for(Situation.DATABASE_OVERLOADED) == route_for(None) == "admins"


def test_every_situation_is_documented():
    section = PAGE.read_text().partition("\n## The seven situations\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)[1:] == [each.value for each in Situation]


def test_situation_does_not_change_the_fingerprint():
    head = "X-Error-Mail-Client: 1\n"
    with_it = parse(record(raw(head + "X-Error-Mail-Situation: disk broken", LOCKED.encode())), ())
    without = parse(record(raw(head.strip(), LOCKED.encode())), ())

    assert fingerprint(with_it) == fingerprint(without)
