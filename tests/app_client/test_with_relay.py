"""Client and relay together: the relay parses what the client sends, and the counts are exact in spite of kills."""

import html
import itertools
import json
import logging
from collections.abc import Callable

import pytest
from flask import Flask

from app_client import ErrorMailHandler, mail_formatter
from app_client.flask import KEY, ErrorMail
from relay.compose.message import html_part, text_part
from relay.model import Form, Level
from tests.support.mails import read_by_relay
from tests.support.processes import Relay, wait_for


@pytest.mark.parametrize("formatter", [mail_formatter(), logging.Formatter()], ids=["mail format", "bare"])
@pytest.mark.parametrize("word", ["plain", "größer", "日本語"])
def test_relay_reads_what_the_client_writes(sink, make_handler, make_logger, formatter, word):
    handler = make_handler(sink.mailhost, app=f"shop {word}", environment="production", release="7")
    handler.setFormatter(formatter)
    logger = make_logger(handler)

    logger.error("%d", word)  # cannot be formatted: dropped
    try:
        dict[str, int]()[word]
    except KeyError:
        logger.critical("no such order: %s", word, exc_info=True)
    [mail] = sink.wait_for(1)
    report = read_by_relay(mail.content)

    assert report.form is Form.CLIENT
    assert (report.app, report.environment, report.release) == (f"shop {word}", "production", "7")
    assert (report.level, report.logger) == (Level.CRITICAL, logger.name)
    assert (report.record_id, report.count, report.dropped) == (mail.record_id, 1, 1)
    assert report.message == f"no such order: {word}"
    assert report.trace.endswith(f"KeyError: '{word}'")
    assert report.subject == "YourApplication Failed"


def test_relay_reads_the_count_of_a_storm(sink, make_handler, make_logger):
    """Also the trace at the end of an overlong text without its middle."""
    handler = make_handler(sink.mailhost)
    logger = make_logger(handler)

    sink.stop()
    for _ in range(250):
        try:
            dict[str, int]()["order"]
        except KeyError:
            logger.exception("storm %s", "x" * 400_000)
    sink.start()
    handler.flush(20)
    reports = [read_by_relay(mail.content) for mail in sink.mails]

    assert sum(report.count for report in reports) == 250
    assert {report.trace.splitlines()[-1] for report in reports} == {"KeyError: 'order'"}
    assert {report.trace.splitlines()[0] for report in reports} == {"Traceback (most recent call last):"}


@pytest.mark.e2e
def test_every_error_is_counted_once_while_the_relay_is_killed_repeatedly(tmp_path, make_logger):
    """Supervisor and receiver are killed during the storm, so replies get lost."""
    places = ["".join(characters) for characters in itertools.product("abcdef", repeat=2)]
    with Relay(tmp_path / "relay", admins=["yourname@example.com"]) as relay:
        handler = ErrorMailHandler(
            ("127.0.0.1", relay.smtp_port), "a@example.com", "b@example.com", "Failed", queue_size=5000
        )
        logger = make_logger(handler)

        for turn in range(4):
            for number, place in enumerate(places * 5):
                logger.error("place %s failed %s", place, "ab"[number % 2])
            wait_for(less_pending(handler), "a mail to get through")
            relay.kill("receiver" if turn % 2 else "supervisor")
            if not turn % 2:
                relay.start()
        handler.flush(60)
        assert (handler.pending, handler.dropped) == (0, 0)
        handler.close()
        logged = 4 * 5 * len(places)

        counted = wait_for(lambda: number if (number := counted_by(relay)) >= logged else 0, "all to be counted")

    assert counted == logged


def less_pending(handler: ErrorMailHandler) -> Callable[[], bool]:
    before = handler.pending
    return lambda: handler.pending < before


def counted_by(relay: Relay) -> int:
    return sum(group["occurrences"] for group in json.loads(relay.run("groups", "--json").stdout or "[]"))


@pytest.mark.e2e
def test_request_facts_reach_the_recipients_without_secrets(tmp_path, make_logger):
    """From a Flask app through the real relay to the digest, `relay show` and the dashboard."""
    by_form = "ghp_" + "a1B2" * 9  # only the relay recognises this secret, by its token format
    timing = {"first_wait": "0s", "interval": "1s"}
    with Relay(tmp_path / "relay", admins=["yourname@example.com"], timing=timing) as relay:
        app = Flask("shop")
        make_logger(name=app.logger.name)
        app.config.update(
            ADMINS=["yourname@example.com"],
            ERROR_MAIL_HOST=("127.0.0.1", relay.smtp_port),
            ERROR_MAIL_ENVIRONMENT="production",
            ERROR_MAIL_RELEASE="2026.3",
        )
        ErrorMail(app)
        app.add_url_rule("/pay/<order>", endpoint="pay", view_func=lambda order: dict[str, str]()[order])
        app.test_client().get(
            f"/pay/17?coupon=spring&api_key=hunter2hunter2&ref={by_form}",
            headers={"User-Agent": "curl/8", "X-Request-ID": "r-17", "Cookie": "session=hunter2hunter2"},
        )
        app.extensions[KEY].flush(20)
        app.extensions[KEY].close()
        [file] = wait_for(lambda: list(relay.data.glob("mailbox/new/*")), "the digest")
        raw = file.read_bytes()
        shown, kept = relay.run("show", "1").stdout, relay.run("show", "1", "--json").stdout
        page = html.unescape(relay.get("/errors/1"))

    request = "GET http://localhost/pay/17?coupon=spring&api_key=[masked]&ref=[masked]"
    facts = (request, "pay", "127.0.0.1", "curl/8", "r-17", "production", "2026.3")
    faces = {"text": text_part(raw), "html": html.unescape(html_part(raw)), "show": shown, "dashboard": page}
    assert [(name, fact) for name, face in faces.items() for fact in facts if fact not in face] == []
    assert f"\nRequest:            {request}\nEndpoint:           pay\n" in faces["text"]
    assert not any(secret in text for secret in ("hunter2", by_form) for text in (*faces.values(), kept))
