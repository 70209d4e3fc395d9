"""Run the examples of docs/fastapi.md and docs/gunicorn.md in real servers, and let requests and workers fail."""

import contextlib
import re
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.doc_snippets import SERVER_TIMEOUT, received, replaced, running, snippets
from tests.support.mails import read_by_relay
from tests.support.smtp_sinks import TIMEOUT, wait_until

[FASTAPI] = snippets("fastapi.md").values()
[GUNICORN] = snippets("gunicorn.md").values()
MORE_FASTAPI = """

from fastapi import BackgroundTasks

def clean_up():
    raise OSError("clean-up failed")

@app.get("/later")
async def later(tasks: BackgroundTasks):
    tasks.add_task(clean_up)
    logging.getLogger("shop").error("stock is low")
"""
WSGI = """
import time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        time.sleep(600)
    raise LookupError("no such order")
"""


def visit(log: Path, path: str) -> None:
    """Request a page from the server that writes `log`."""
    pattern = re.compile(r"(?:running on|Listening at:) http://127\.0\.0\.1:(\d+)")
    wait_until(lambda: pattern.search(log.read_text()), SERVER_TIMEOUT)
    found = pattern.search(log.read_text())
    assert found
    wait_until(lambda: accepts(int(found[1])), SERVER_TIMEOUT)  # uvicorn names its port before its workers listen
    request = urllib.request.Request(f"http://127.0.0.1:{found[1]}{path}", headers={"User-Agent": "curl/8"})
    with contextlib.suppress(OSError):
        urllib.request.urlopen(request, timeout=TIMEOUT).read()


def accepts(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), TIMEOUT):
        return True
    return False


@pytest.mark.parametrize("workers", ["1", "2"])
def test_uvicorn_mails_the_exception_of_a_request_with_its_facts(tmp_path, sink, workers):
    (tmp_path / "shop.py").write_text(replaced(FASTAPI, {"2525": str(sink.port)}))
    command = [sys.executable, "-m", "uvicorn", "shop:app", "--port", "0", "--workers", workers]
    with running(command, tmp_path) as (_, log):
        visit(log, "/orders/17?token=hunter2")
        [mail] = received(sink, 1)

    report = read_by_relay(mail.content)
    assert report.app == "shop"
    assert report.trace.splitlines()[-1] == "LookupError: no such order: 17"
    request = mail.json_part["request"]
    assert (request["method"], request["user_agent"]) == ("GET", "curl/8")
    assert request["remote_addr"] == "127.0.0.1"
    assert request["url"].endswith("/orders/17?token=[masked]")


def test_uvicorn_mails_background_tasks_and_the_loggers_of_the_app(tmp_path, sink):
    (tmp_path / "shop.py").write_text(replaced(FASTAPI, {"2525": str(sink.port)}) + MORE_FASTAPI)
    with running([sys.executable, "-m", "uvicorn", "shop:app", "--port", "0"], tmp_path) as (_, log):
        visit(log, "/later")
        mails = received(sink, 2)

    assert {read_by_relay(mail.content).message for mail in mails} == {"stock is low", "Exception in ASGI application"}
    assert any("OSError: clean-up failed" in mail.text for mail in mails)


@pytest.mark.parametrize(
    ("path", "message"), [("/", "Error handling request"), ("/hang", "WORKER TIMEOUT")], ids=["request", "timeout"]
)
def test_gunicorn_mails_failed_requests_and_killed_workers(tmp_path, sink, path, message):
    (tmp_path / "gunicorn.conf.py").write_text(replaced(GUNICORN, {"2525": str(sink.port)}))
    (tmp_path / "shop.py").write_text(WSGI)
    options = ["--bind", "127.0.0.1:0", "--timeout", "2", "--no-control-socket"]
    with running([sys.executable, "-m", "gunicorn", *options, "shop:app"], tmp_path) as (_, log):
        visit(log, path)
        wait_until(lambda: any(message in mail.text for mail in sink.mails), SERVER_TIMEOUT)

    assert {read_by_relay(mail.content).app for mail in sink.mails} == {"shop"}


def test_gunicorn_mails_that_the_app_cannot_be_imported(tmp_path, sink):
    (tmp_path / "gunicorn.conf.py").write_text(replaced(GUNICORN, {"2525": str(sink.port)}))
    options = ["--bind", "127.0.0.1:0", "--no-control-socket"]
    with running([sys.executable, "-m", "gunicorn", *options, "missing:app"], tmp_path):
        wait_until(
            lambda: any("ModuleNotFoundError: No module named 'missing'" in mail.text for mail in sink.mails),
            SERVER_TIMEOUT,
        )
