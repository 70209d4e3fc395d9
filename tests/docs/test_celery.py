"""Run the examples of docs/celery.md in real Celery workers, and let tasks fail in all ways that the page lists."""

import sys
from pathlib import Path

import pytest

from tests.support.doc_snippets import SERVER_TIMEOUT, received, replaced, run, running, snippets
from tests.support.mails import read_by_relay
from tests.support.smtp_sinks import ReceivedMail, Sink, wait_until

BLOCKS = snippets("celery.md")
MORE_TASKS = """

import os, signal, time
from celery.exceptions import Ignore, Reject
app.conf.worker_lost_wait = 0.1

@app.task(throws=(KeyError,))
def expected():
    raise KeyError("expected")

@app.task
def ignored():
    raise Ignore

@app.task(acks_late=True)
def rejected():
    raise Reject("never", requeue=False)

@app.task(autoretry_for=(ValueError,), retry_kwargs={"max_retries": 2, "countdown": 0}, bind=True)
def retried(self):
    raise ValueError(f"try {self.request.retries}")

@app.task
def killed():
    os.kill(os.getpid(), signal.SIGKILL)

@app.task(time_limit=1)
def endless():
    time.sleep(600)

@app.task
def logs():
    import logging
    logging.getLogger("shop").error("stock is low")
"""

MAILED = {
    "charge": "LookupError",
    "endless": "TimeLimitExceeded",
    "killed": "WorkerLostError",
    "retried": "ValueError",
}
"""The failures of these tasks are mailed, once each."""


def project(folder: Path, sink: Sink, heading: str) -> None:
    """Write the example as `shop.py`, with the port of the test and a broker in a file."""
    broker = f"sqla+sqlite:///{folder}/broker.db"
    code = replaced(BLOCKS[heading], {"2525": str(sink.port), "redis://127.0.0.1:6379/0": broker})
    (folder / "shop.py").write_text(code + MORE_TASKS)


def send(folder: Path, *tasks: str) -> None:
    calls = [f"shop.{task}.delay({'17' if task == 'charge' else ''})" for task in tasks]
    done = run([sys.executable, "-c", "import shop; " + "; ".join(calls)], folder)
    assert done.returncode == 0, done.stderr


def worker(folder: Path, pool: str):
    options = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "--app", "shop", "worker", "--pool", pool, *options]
    return running(command, folder)


def request(mail: ReceivedMail) -> dict[str, str]:
    return mail.json_part["request"]


@pytest.mark.parametrize("pool", ["prefork", "solo", "threads", "gevent"])
def test_failed_task_is_mailed_from_each_pool(tmp_path, sink, pool):
    project(tmp_path, sink, "Mail failed tasks 1 python")
    send(tmp_path, "charge")
    with worker(tmp_path, pool):
        [mail] = received(sink, 1)

    report = read_by_relay(mail.content)
    assert report.app == "shop"
    assert report.message == "Task shop.charge failed"
    assert report.trace.splitlines()[-1] == "LookupError: no such order: 17"
    assert f"Location:           {tmp_path}/shop.py:" in mail.text
    assert "Function:           charge\n" in mail.text
    assert request(mail) == {"method": "TASK", "url": "shop.charge", "request_id": request(mail)["request_id"]}
    assert len(request(mail)["request_id"]) == 36


def test_only_the_events_of_the_table_are_mailed(tmp_path, sink):
    """The lost process and the time limit are reported by the main process."""
    project(tmp_path, sink, "Mail failed tasks 1 python")
    send(tmp_path, "expected", "ignored", "rejected", "retried", "killed", "endless", "charge")
    with worker(tmp_path, "prefork"):
        wait_until(
            lambda: {request(mail)["url"] for mail in sink.mails} >= {f"shop.{name}" for name in MAILED}, SERVER_TIMEOUT
        )

    types = sorted((request(mail)["url"], mail.json_part["exceptions"][0]["type"]) for mail in sink.mails)
    assert types == [(f"shop.{name}", error) for name, error in MAILED.items()]
    [retried] = [mail for mail in sink.mails if request(mail)["url"] == "shop.retried"]
    assert "ValueError: try 2" in retried.text


def test_mails_of_a_worker_process_are_delivered_before_it_ends(tmp_path, sink):
    """The relay comes back while the worker shuts down."""
    project(tmp_path, sink, "Mail failed tasks 1 python")
    sink.stop()
    send(tmp_path, "charge")
    with worker(tmp_path, "prefork") as (process, log):
        wait_until(lambda: "raised unexpected" in log.read_text(), SERVER_TIMEOUT)
        process.terminate()
        wait_until(lambda: "Warm shutdown" in log.read_text(), SERVER_TIMEOUT)
        sink.start()
        process.wait(SERVER_TIMEOUT)

    assert len(sink.mails) == 1


def test_handler_of_a_flask_app_mails_failed_tasks(tmp_path, sink):
    project(tmp_path, sink, "With Flask 1 python")
    send(tmp_path, "charge")
    with worker(tmp_path, "prefork"):
        [mail] = received(sink, 1)

    assert mail.message["Subject"] == "shop Failed"
    assert request(mail)["url"] == "shop.charge"


def test_error_that_a_task_logs_is_mailed_once(tmp_path, sink):
    project(tmp_path, sink, "Mail failed tasks 1 python")
    addition = BLOCKS["Errors that tasks log 1 python"].replace("2525", str(sink.port))
    with (tmp_path / "shop.py").open("a") as file:
        file.write(addition)
    send(tmp_path, "logs")
    with worker(tmp_path, "prefork"):
        [mail] = received(sink, 1)

    assert read_by_relay(mail.content).message == "stock is low"


def test_every_snippet_is_run():
    assert list(BLOCKS) == ["Mail failed tasks 1 python", "With Flask 1 python", "Errors that tasks log 1 python"]
