"""The client in concurrent servers: threads of waitress, greenlets of gevent, tasks of asyncio."""

import concurrent.futures
import http.client
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.client_programs import run
from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT, MisbehavingServer, hang, texts, wait_until

REQUESTS = 40
APP = """
import logging, os, sys
from flask import Flask
from app_client.flask import ErrorMail

app = Flask("yourapplication")
app.config.update(ADMINS=["yourname@example.com"], ERROR_MAIL_HOST=os.environ["MAILHOST"])
ErrorMail(app)

@app.get("/pid/<name>")
def pid(name):
    return str(os.getpid())

@app.get("/<name>")
def fail(name):
    raise LookupError(name)
"""
WAITRESS = """
import logging, signal, sys, waitress
from yourapplication import app
logging.getLogger("waitress").setLevel(logging.INFO)
logging.basicConfig(level=logging.INFO)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores SIGINT
server = waitress.create_server(app, listen="127.0.0.1:0", threads=4)
print("Listening at: http://127.0.0.1:%s" % server.effective_port, file=sys.stderr, flush=True)
server.run()
"""
GUNICORN = ["-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "1", "--no-control-socket"]
SERVERS = {
    "waitress": ["-c", WAITRESS],
    "gthread": [*GUNICORN, "--worker-class", "gthread", "--threads", "4", "yourapplication:app"],
    "gevent": [*GUNICORN, "--worker-class", "gevent", "yourapplication:app"],
    "gevent, preload": [*GUNICORN, "--worker-class", "gevent", "--preload", "yourapplication:app"],
}
each_server = pytest.mark.parametrize("name", SERVERS)


@contextmanager
def serving(name: str, folder: Path, mailhost: tuple[str, int]) -> Iterator[int]:
    """Yield the port of a server with the app; the server is stopped by a signal, as a service manager does."""
    for package in ("gunicorn", "gevent", "waitress"):
        if package in f"{name} {SERVERS[name]}":
            pytest.importorskip(package, reason=f"{package} is not installed")
    (folder / "yourapplication.py").write_text(APP)
    environment = os.environ | {"PYTHONPATH": f"{folder}:{ROOT}", "MAILHOST": "{}:{}".format(*mailhost)}
    log = folder / "server.log"
    command = [sys.executable, *SERVERS[name]]
    with log.open("w") as stderr, subprocess.Popen(command, cwd=folder, env=environment, stderr=stderr) as server:
        try:
            wait_until(lambda: "Listening at" in log.read_text() or server.poll() is not None)
            [port] = re.findall(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())
            yield int(port)
        finally:
            server.send_signal(signal.SIGINT if name == "waitress" else signal.SIGTERM)
            server.wait(TIMEOUT)


def request(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def send_requests(port: int) -> list[int]:
    paths = [f"/order-{'abcd'[number % 4]}" for number in range(REQUESTS)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda path: request(port, path), paths))


@each_server
def test_every_error_of_many_requests_at_once_is_counted_once(name, tmp_path, sink):
    """Including the last errors: the server is stopped at once."""
    with serving(name, tmp_path, sink.mailhost) as port:
        statuses = send_requests(port)

    assert statuses == [500] * REQUESTS
    assert sink.occurrences == REQUESTS
    assert sum(mail.dropped for mail in sink.mails) == 0
    assert {line for mail in sink.mails for line in re.findall(r"LookupError: (\S+)", mail.text)} == {
        "order-a", "order-b", "order-c", "order-d"
    }  # fmt: skip


@each_server
def test_requests_are_answered_while_the_relay_hangs(name, tmp_path):
    """The timeout is five seconds: if requests waited for the relay, this would take minutes."""
    with MisbehavingServer(hang) as relay, serving(name, tmp_path, relay.mailhost) as port:
        assert send_requests(port) == [500] * REQUESTS
        assert request(port, "/pid/x") == 200
        wait_until(lambda: relay.connections)


def test_tasks_of_an_event_loop_log_without_blocking_it(sink):
    """As in Quart: the event loop continues, and all errors are delivered when it ends."""
    script = """
        import asyncio
        async def request(name):
            await asyncio.sleep(0)
            try:
                raise LookupError(name)
            except LookupError:
                logger.exception("while serving")
        async def main():
            await asyncio.gather(*(request("abcd"[number % 4]) for number in range(400)))
            await asyncio.to_thread(handler.flush)
            return handler.pending
        print(asyncio.run(main(), debug=True))
    """
    done = run(script, sink.mailhost)

    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    assert sink.occurrences == 400
    assert len(texts(sink)) >= 4


def test_an_event_loop_continues_while_the_relay_hangs():
    script = """
        import asyncio
        async def main():
            for number in range(200):
                logger.error("error %s", "abcdefgh"[number % 8])
                await asyncio.sleep(0)
            print(handler.pending)
        asyncio.run(main())
    """
    with MisbehavingServer(hang) as relay:
        done = run(textwrap.dedent(script), relay.mailhost, exit_timeout=0.2)

    assert done.stdout == "200\n"
    assert "dropped (200)" in done.stderr


def test_greenlets_of_a_patched_process_share_one_connection(sink):
    pytest.importorskip("gevent", reason="gevent is not installed")
    script = """
        import gevent.monkey; gevent.monkey.patch_all()
        import gevent, logging, sys
        from app_client import ErrorMailHandler
        handler = ErrorMailHandler(sys.argv[1], "a@example.com", "b@example.com", "Failed")
        logger = logging.getLogger("yourapplication")
        logger.addHandler(handler)
        def request(name):
            gevent.sleep(0)
            logger.error("failed at %s", name)
        gevent.joinall([gevent.spawn(request, "abcd"[number % 4]) for number in range(400)])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), "{}:{}".format(*sink.mailhost)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=3 * TIMEOUT,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert sink.occurrences == 400
    assert len({mail.connection for mail in sink.mails}) == 1
