"""The processes of `relay serve`: restarts, refused starts, orderly stops."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Relay, send_mail, wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    """A relay with its local mailbox, not started yet."""
    return Relay(tmp_path / "relay", timing={"first_wait": "1s", "interval": "1s", "steps": ["1s"]})


def gone(process: int) -> bool:
    """Return whether a process has ended; a zombie counts as ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_client_waits_in_the_backlog_while_the_receiver_restarts(relay: Relay):
    with relay:
        wait_for(lambda: relay.child("receiver"), "the receiver")
        send_mail(relay.smtp_port)
        for _ in range(5):
            relay.kill("receiver")
            send_mail(relay.smtp_port)

        wait_for(lambda: relay.status()["received"] == 6, "all mails to be ingested")


def test_worker_that_hangs_is_killed_and_replaced(relay: Relay):
    with relay:
        send_mail(relay.smtp_port)
        # A digest takes a second. By then there was a heartbeat: before the first one, a worker gets a minute.
        wait_for(lambda: relay.last_event("digest enqueued"), "a digest")
        hung = relay.child("worker")
        os.kill(hung, signal.SIGSTOP)

        wait_for(lambda: gone(hung), "the hung worker to be killed")
        wait_for(lambda: relay.child("worker") != hung and relay.run("health").returncode == 0, "a new worker")


@pytest.mark.parametrize("role", ["receiver", "worker"])
def test_no_child_outlives_its_supervisor(relay: Relay, role: str):
    with relay:
        wait_for(lambda: relay.run("health").returncode == 0, "the relay to be healthy")
        child = relay.child(role)
        relay.kill("supervisor")

        wait_for(lambda: gone(child), f"the {role} to end", 10)


def test_second_relay_on_the_same_data_directory_is_refused(relay: Relay):
    with relay:
        second = subprocess.run(
            [sys.executable, "-m", "relay", "serve", "--config", str(relay.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

        assert second.returncode == 1
        assert "is in use: another supervisor runs there" in second.stderr


def test_template_that_does_not_compile_stops_the_start_and_is_named(tmp_path: Path):
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "digest.body.txt").write_text("fine\n{% nonsense %}\n")
    relay = Relay(tmp_path / "relay", templates=templates)

    ended = subprocess.run(
        [sys.executable, "-m", "relay", "serve", "--config", str(relay.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 2
    assert "digest.body.txt" in ended.stderr


def test_second_signal_stops_the_relay_at_once(relay: Relay):
    with relay:
        wait_for(lambda: relay.run("health").returncode == 0, "the relay to be healthy")
        client = smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=30)
        client.ehlo()
        client.mail("app@example.com")
        client.rcpt("a@example.com")
        client.docmd("DATA")  # an open transaction: a first signal alone would wait for it
        assert relay.process
        relay.process.terminate()
        wait_for(lambda: relay.last_event("stopping"), "the relay to begin to stop")
        relay.process.terminate()

        assert relay.process.wait(2) == 0
        client.close()


PASS_SOCKET = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="smtp")
os.execv(sys.executable, [sys.executable, "-m", "relay", "serve", "--config", sys.argv[2]])
"""


def test_relay_uses_the_sockets_that_a_service_manager_passes(relay: Relay):
    with socket.create_server(("127.0.0.1", 0)) as listening, relay.log_file.open("wb") as log:
        number = listening.fileno()
        command = [sys.executable, "-c", PASS_SOCKET, str(number), str(relay.config)]
        relay.process = subprocess.Popen(command, stderr=log, pass_fds=[number])
        try:
            send_mail(listening.getsockname()[1])
            wait_for(lambda: relay.status()["received"] == 1, "the mail to be ingested")
        finally:
            assert relay.stop() == 0


def test_receiver_and_worker_run_without_a_supervisor(relay: Relay):
    def start(command: str, port: int) -> Callable[[], int]:
        environ = {**os.environ, "RELAY_SMTP__LISTEN": f"127.0.0.1:{port}"}
        process = subprocess.Popen(
            [sys.executable, "-m", "relay", command, "--config", str(relay.config)],
            env=environ,
            stderr=subprocess.DEVNULL,
        )

        def stop() -> int:
            process.terminate()
            return process.wait(20)

        return stop

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    stop_receiver, stop_worker = start("receive", port), start("work", port)

    def sent() -> bool:
        try:
            send_mail(port)
        except OSError:
            return False
        return True

    wait_for(sent, "the receiver to accept a mail")
    wait_for(lambda: relay.status()["received"] == 1, "the worker to ingest it")
    assert (stop_receiver(), stop_worker()) == (0, 0)


def test_busy_port_is_reported_at_once_and_taken_when_it_becomes_free(tmp_path):
    """The log is read while the port is still in use: the relay does not wait in silence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        relay = Relay(tmp_path, smtp={"listen": f"127.0.0.1:{taken.getsockname()[1]}"})
        starting = threading.Thread(target=relay.start)
        starting.start()
        said = wait_for(
            lambda: relay.log_file.exists() and "uses the port" in relay.log_file.read_text(), "the port's holder"
        )
    starting.join()

    assert said
    assert f"process {os.getpid()} (" in relay.log_file.read_text()
    assert relay.stop() == 0
