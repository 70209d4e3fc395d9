"""Run the settings of docs/django.md in real Django projects: an error is mailed, a dead relay does not disturb."""

import sys
from pathlib import Path

import django
import pytest

from tests.support.doc_snippets import replaced, run, snippets
from tests.support.mails import read_by_relay
from tests.support.smtp_sinks import ReceivedMail, Sink, closed_port

BLOCKS = snippets("django.md")
CLIENT, MAILERS, BACKEND, SETTINGS = BLOCKS
HAS_MAILERS = django.VERSION >= (6, 1)
BASE = """
DEBUG = False
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "x"
"""
URLS = """
import logging
from django.http import HttpResponse
from django.urls import path

def charge_card(request, number):
    raise RuntimeError("card service answered nothing")

def stock(request):
    logging.getLogger("shop").error("stock is low")
    return HttpResponse("ok")

urlpatterns = [path("charge/<int:number>", charge_card), path("stock", stock)]
"""
VISIT = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.test import Client
print(Client(raise_request_exception=False).get(sys.argv[1]).status_code)
"""
OLDER = pytest.mark.skipif(HAS_MAILERS, reason="these settings are those of Django before 6.1")
NEWER = pytest.mark.skipif(not HAS_MAILERS, reason="needs Django 6.1, which needs Python 3.12")


def visit(folder: Path, settings: str, path: str, port: int, backend: str = "") -> None:
    """Request a page of a project with these settings. Raises AssertionError unless a response comes."""
    (folder / "settings.py").write_text(BASE + settings.replace("2525", str(port)))
    (folder / "relay_backend.py").write_text(backend.replace("2525", str(port)))
    (folder / "urls.py").write_text(URLS)
    done = run([sys.executable, "-c", VISIT, path], folder)
    assert done.stdout.strip() in {"200", "500"}, done.stderr


def admin_mail(sink: Sink) -> ReceivedMail:
    [mail] = sink.mails
    report = read_by_relay(mail.content)
    assert "RuntimeError: card service answered nothing" in report.trace or "RuntimeError at" in report.trace
    assert mail.envelope.rcpt_tos == ["yourname@example.com"]
    assert mail.envelope.mail_from == "server-error@example.com"
    return mail


def test_app_client_mails_the_exception_of_a_request(tmp_path, sink):
    visit(tmp_path, BLOCKS[CLIENT], "/charge/17", sink.port)

    mail = admin_mail(sink)
    assert read_by_relay(mail.content).app == "shop"
    assert "Message type:       ERROR\n" in mail.text


def test_app_client_mails_what_the_site_logs(tmp_path, sink):
    visit(tmp_path, BLOCKS[CLIENT], "/stock", sink.port)

    assert [read_by_relay(mail.content).message for mail in sink.mails] == ["stock is low"]


def test_app_client_mails_nothing_in_debug_mode(tmp_path, sink):
    visit(tmp_path, BLOCKS[CLIENT] + "DEBUG = True\n", "/charge/17", sink.port)

    assert sink.mails == []


@OLDER
def test_backend_of_the_page_mails_the_exception_to_the_relay(tmp_path, sink):
    visit(tmp_path, BLOCKS[SETTINGS], "/charge/17", sink.port, BLOCKS[BACKEND])

    assert "Request URL: http://testserver/charge/17" in admin_mail(sink).text


@OLDER
def test_backend_of_the_page_ignores_the_settings_of_the_other_mail(tmp_path, sink):
    other = f'EMAIL_HOST = "127.0.0.1"\nEMAIL_PORT = {closed_port()}\nEMAIL_HOST_USER = "shop"\nEMAIL_USE_TLS = True\n'
    visit(tmp_path, BLOCKS[SETTINGS] + other, "/charge/17", sink.port, BLOCKS[BACKEND])

    admin_mail(sink)


@OLDER
def test_visitor_gets_a_response_from_the_backend_of_the_page_without_a_relay(tmp_path):
    visit(tmp_path, BLOCKS[SETTINGS], "/charge/17", closed_port(), BLOCKS[BACKEND])


@NEWER
def test_mailer_of_the_page_mails_the_exception_to_the_relay(tmp_path, sink):
    visit(tmp_path, BLOCKS[MAILERS], "/charge/17", sink.port)

    assert "Request URL: http://testserver/charge/17" in admin_mail(sink).text


@NEWER
def test_visitor_gets_a_response_from_the_mailer_of_the_page_without_a_relay(tmp_path):
    visit(tmp_path, BLOCKS[MAILERS], "/charge/17", closed_port())


@NEWER
def test_visitor_gets_no_response_without_fail_silently(tmp_path):
    """What the page warns of."""
    settings = replaced(BLOCKS[MAILERS], {', "fail_silently": True': ""})

    with pytest.raises(AssertionError, match="ConnectionRefusedError"):
        visit(tmp_path, settings, "/charge/17", closed_port())


def test_every_snippet_is_run():
    assert [CLIENT, MAILERS, BACKEND, SETTINGS] == [
        "With app_client 1 python",
        "AdminEmailHandler, Django 6.1 and later 1 python",
        "AdminEmailHandler, Django 5.2 and 6.0 1 python",
        "AdminEmailHandler, Django 5.2 and 6.0 2 python",
    ]
