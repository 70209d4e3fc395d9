"""From a failing app to the admins' inbox: real processes, real senders, a real upstream with STARTTLS and AUTH."""

from __future__ import annotations

import logging
import logging.handlers
import shutil
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from app_client import MAIL_FORMAT
from tests.support.processes import Relay, wait_for
from tests.support.received_digests import reported_counts, text_of, unique
from tests.support.relay_with_upstream import ADMINS, PASSWORD, USER
from tests.support.upstream import Upstream

pytestmark = pytest.mark.e2e


@contextmanager
def logger_to(relay: Relay, *, formatted: bool = False, **options) -> Iterator[logging.Logger]:
    """A logger with the stock handler, as the documented recipe has it, but for the port."""
    handler = logging.handlers.SMTPHandler(
        ("127.0.0.1", relay.smtp_port),
        "server-error@example.com",
        ["yourname@example.com"],
        "YourApplication Failed",
        **options,
    )
    handler.setLevel(logging.ERROR)
    if formatted:
        handler.setFormatter(logging.Formatter(MAIL_FORMAT))
    logger = logging.Logger("app")
    logger.addHandler(handler)
    with mock.patch.object(handler, "handleError", side_effect=AssertionError("the relay did not take the mail")):
        yield logger
    handler.close()


def divide(cart: list[int]) -> float:
    return sum(cart) / len(cart)


def look_up(session: dict[str, str]) -> str:
    return session["user"]


def open_file(number: int) -> None:
    Path(f"/nonexistent/{number}.csv").read_text()


DJANGO = """
import sys, logging, django
from django.conf import settings
settings.configure(
    ADMINS=[("Admin", "yourname@example.com")], EMAIL_HOST="127.0.0.1", EMAIL_PORT=int(sys.argv[1]),
    SERVER_EMAIL="django@example.com", DEBUG=False, ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], SECRET_KEY="x",
)
django.setup()
from django.urls import path
from django.test import Client
def charge_card(request, number):
    raise RuntimeError("card service answered nothing")
urlpatterns = [path("charge/<int:number>", charge_card)]
client = Client(raise_request_exception=False)
for number in range(6):
    client.get(f"/charge/{number}")
"""


def test_each_error_comes_once_with_its_exact_count_to_the_admins_only(
    make_relay: Callable[..., Relay], upstream: Upstream
):
    with make_relay(timing={"first_wait": "5s", "interval": "1s", "steps": ["1s"]}) as relay:
        with logger_to(relay, formatted=True) as logger:
            for _ in range(40):
                try:
                    divide([])
                except ZeroDivisionError:
                    logger.exception("Exception on /checkout [POST]")
        with logger_to(relay) as logger:
            for number in range(17):
                try:
                    open_file(number)
                except FileNotFoundError:
                    logger.exception("Exception on /import/%d [GET]", number)
        with logger_to(relay, credentials=("app", "the app's old password")) as logger:
            for _ in range(5):
                try:
                    look_up({})
                except KeyError:
                    logger.exception("Exception on /profile [GET]")
        subprocess.run([sys.executable, "-c", DJANGO, str(relay.smtp_port)], check=True, timeout=60)
        expected = {
            "ZeroDivisionError in divide: division by zero": 40,
            "FileNotFoundError in open_file: [Errno 2] No such file or directory: <text>": 17,
            "KeyError in look_up: <text>": 5,
            "RuntimeError in charge_card: card service answered nothing": 6,
        }
        wait_for(lambda: sum(reported_counts(upstream.mails).values()) >= 68, "all errors to be reported")

        assert reported_counts(upstream.mails) == expected
        assert len(unique(upstream.mails)) == 1
        assert {mail.recipients for mail in upstream.mails} == {tuple(ADMINS)}
        assert {(mail.user, mail.tls) for mail in upstream.mails} == {(USER, True)}
        text = text_of(upstream.mails[0])
        assert "Message type:       ERROR\n" in text
        assert f"Location:           {__file__}:" in text
        assert "Exception on /checkout [POST]\nTraceback (most recent call last):\n" in text
        assert "They balance." in text
        status = wait_for(lambda: (found := relay.status())["reported"] == 68 and found, "the books to be closed")
        assert (status["received"], status["pending"], status["balanced"]) == (68, 0, True)
        assert PASSWORD not in relay.log_file.read_text()
        assert relay.stop() == 0


@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed (Debian's package `swaks`)")
def test_a_mail_sent_by_swaks_is_reported(make_relay: Callable[..., Relay], upstream: Upstream):
    with make_relay() as relay:
        for _ in range(3):
            subprocess.run(
                [
                    *("swaks", "--server", "127.0.0.1", "--port", str(relay.smtp_port), "--to", "ops@example.com"),
                    *("--from", "backup@example.com", "--header", "Subject: backup failed"),
                    *("--body", "backup of /srv failed: no space left on device"),
                ],
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=30,
            )
        wait_for(lambda: sum(reported_counts(upstream.mails).values()) >= 3, "the mail to be reported")

        assert list(reported_counts(upstream.mails).values()) == [3]
        assert "no space left on device" in text_of(upstream.mails[0])
        assert all(mail.recipients == tuple(ADMINS) for mail in upstream.mails)


def test_no_recipient_of_an_app_is_ever_served(make_relay: Callable[..., Relay], upstream: Upstream):
    unknown_recipients = ["victim@elsewhere.example", "<@a.example:victim@b.example>", "victim%b.example@localhost"]
    with make_relay() as relay:
        with smtplib.SMTP("127.0.0.1", relay.smtp_port) as client:
            client.sendmail(
                "app@example.com", unknown_recipients, "Subject: x\r\nTo: victim@elsewhere.example\r\n\r\nspam\r\n"
            )
        wait_for(lambda: upstream.mails, "the mail to be reported")

        assert {mail.recipients for mail in upstream.mails} == {tuple(ADMINS)}
        assert not any("victim" in str(mail.message["To"]) for mail in upstream.mails)


def test_it_is_ready_and_says_so(make_relay: Callable[..., Relay], upstream: Upstream):
    with make_relay() as relay:
        wait_for(lambda: relay.run("health", "--ready").returncode == 0, "the relay to be ready")

        assert '"ok":true' in relay.get("/livez")
        assert "relay_books_balanced 1.0" in relay.get("/metrics")
        assert "All checks pass." in relay.get("/")


def test_stops_within_eight_seconds_of_sigterm(make_relay: Callable[..., Relay]):
    with make_relay() as relay:
        assert relay.process
        with socket.create_connection(("127.0.0.1", relay.smtp_port)):  # an idle connection must not hold it up
            relay.process.terminate()
            assert relay.process.wait(8) == 0
