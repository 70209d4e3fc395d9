"""The demo, run by its command, with a real SMTP server."""

import errno
import http.client
import json
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app_client.demo import __main__, shop
from app_client.demo.dependencies import BROKEN_DISK, FULL_DISK, failing_dependencies
from app_client.demo.visits import KINDS, available_kinds
from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT, Sink, closed_port, wait_until

COMMAND = [sys.executable, "-m", "app_client.demo"]

RECIPE = """\
    ADMINS = ['yourname@example.com']
    if not app.debug:
        import logging
        from logging.handlers import SMTPHandler
        mail_handler = SMTPHandler('127.0.0.1', 'server-error@example.com', ADMINS, 'YourApplication Failed')
        mail_handler.setLevel(logging.ERROR)
        app.logger.addHandler(mail_handler)
"""

EXCEPTIONS = {
    "client gone": {"werkzeug.exceptions.ClientDisconnected: 400 Bad Request: The browser (or proxy) sent a request"},
    "database overloaded": {"sqlite3.OperationalError: database is locked"},
    "file system full": {"OSError: [Errno 28] No space left on device"},
    "disk broken": {"OSError: [Errno 5] Input/output error"},
    "backend overloaded": {"urllib.error.HTTPError: HTTP Error 503: Service Unavailable", "TimeoutError: timed out"},
    "bug in a library": {"ZeroDivisionError: integer division or modulo by zero"},
    "network down": {"urllib.error.URLError: <urlopen error [Errno 111] Connection refused>"},
}
"""Texts of the last line of the mails, by kind."""

needs_linux = pytest.mark.skipif(len(available_kinds()) < len(KINDS), reason="two of the seven kinds need Linux")


def run(*options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=6 * TIMEOUT
    )


def kind_of(text: str) -> str:
    [kind] = [kind for kind, last_lines in EXCEPTIONS.items() if any(line in text for line in last_lines)]
    return kind


def test_the_shop_contains_the_recipe_word_for_word():
    assert RECIPE in Path(shop.__file__).read_text()


@needs_linux
def test_the_seven_kinds_arrive_and_are_counted(sink):
    done = run("--port", str(sink.port), "--count", "40", "--seed", "1")
    result = json.loads(done.stdout.splitlines()[-1])
    texts = [mail.text for mail in sink.mails]

    assert done.returncode == 0, done.stderr
    assert result["sent"] == sum(result["by_kind"].values()) == len(texts) == 40
    assert {kind: [kind_of(text) for text in texts].count(kind) for kind in KINDS} == result["by_kind"]
    assert min(result["by_kind"].values()) >= 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("the relay accepted all.\n")


@needs_linux
def test_mails_come_from_the_standard_handler_in_the_documented_format(sink):
    done = run("--port", str(sink.port), "--count", "7")

    assert done.returncode == 0, done.stderr
    assert {kind_of(mail.text) for mail in sink.mails} == set(KINDS)
    for mail in sink.mails:
        assert mail.message["Subject"] == "YourApplication Failed"
        assert not [name for name in mail.message if name.startswith("X-")]
        assert re.match(r"\nMessage type:       (ERROR|CRITICAL)\nLocation:           .+:\d+\nModule:   ", mail.text)


@needs_linux
def test_failures_are_real():
    """The files really fail, with the expected errno."""
    with pytest.raises(OSError, match="No space") as full:
        FULL_DISK.write_text("x")
    with pytest.raises(OSError, match="Input/output") as broken:
        BROKEN_DISK.read_bytes()

    assert (full.value.errno, broken.value.errno) == (errno.ENOSPC, errno.EIO)


def test_nothing_is_left_of_the_dependencies():
    with failing_dependencies() as config:
        database = Path(str(config["DATABASE"]))
        assert database.exists()

    assert not database.parent.exists()


def test_without_a_relay_the_demo_ends_soon_with_an_error():
    done = run("--port", str(closed_port()), "--count", "300")

    assert done.returncode == 1
    assert json.loads(done.stdout)["sent"] == 0
    assert "300 were not accepted. Does the relay listen there?" in done.stderr
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_accepted_mails_are_counted():
    numbers = iter(range(1000))
    relay = Sink(answer=lambda _mail: "250 OK" if next(numbers) % 2 else "451 not now").start()
    done = run("--port", str(relay.port), "--count", "10")
    relay.stop()

    assert done.returncode == 1
    assert json.loads(done.stdout)["sent"] == len(relay.mails) == 5
    assert "the relay accepted 5." in done.stderr
    assert "5 were not accepted" in done.stderr


@pytest.mark.parametrize("options", [["--count", "0"], ["--port", "smtp"], ["--unknown"]], ids=" ".join)
def test_wrong_usage_ends_with_2(options):
    assert run(*options).returncode == 2


def test_option_serve_keeps_the_shop_running(sink):
    command = [*COMMAND, "--port", str(sink.port), "--serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=TIMEOUT)
        connection.request("GET", "/orders?columns=0")
        assert connection.getresponse().status == 500
        connection.close()
        wait_until(lambda: sink.mails)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0

    assert kind_of(sink.mails[0].text) == "bug in a library"


def test_the_same_seed_gives_the_same_errors():
    first, second, other = (__main__.choose(50, random.Random(seed)) for seed in (1, 1, 2))

    assert first == second != other


def test_each_kind_is_chosen_if_the_count_suffices():
    assert {*__main__.choose(7, random.Random(1))} == {*available_kinds()}
    assert len(__main__.choose(3, random.Random(1))) == 3


def test_kinds_that_this_system_cannot_show_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr("app_client.demo.dependencies.FULL_DISK", tmp_path / "missing")
    healthy = tmp_path / "healthy"
    healthy.write_text("x")
    monkeypatch.setattr("app_client.demo.dependencies.BROKEN_DISK", healthy)

    assert set(KINDS) - set(available_kinds()) == {"file system full", "disk broken"}
