"""SIGHUP: a new configuration is used without losing a connection or a mail; a bad one is rejected."""

from __future__ import annotations

import asyncio
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from relay.config import load
from relay.service import sockets
from relay.service.child_config import worker_config
from relay.service.supervisor import Child
from tests.support.processes import Relay, send_mail, wait_for

pytestmark = pytest.mark.e2e
REJECTED = "the new configuration is rejected; the old one stays in use"


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    return Relay(tmp_path / "relay", smtp={"max_size": "1MiB"})


def reload(relay: Relay, **tables: object) -> None:
    """Write another configuration and send SIGHUP."""
    Relay(relay.folder, **tables)
    assert relay.process
    os.kill(relay.process.pid, signal.SIGHUP)


def announced_size(port: int) -> int:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        return int(client.esmtp_features["size"])


def test_new_configuration_is_used_and_nothing_is_lost(relay: Relay):
    """A client is in the middle of its mail. Settings that only a restart changes are named and keep their values."""
    with relay:
        wait_for(lambda: relay.child("worker"), "the worker")
        receiver, worker = relay.child("receiver"), relay.child("worker")
        send_mail(relay.smtp_port, "before")
        client = smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=30)
        client.ehlo()
        client.mail("app@example.com")
        client.rcpt("a@example.com")
        client.docmd("DATA")
        elsewhere = {"data_dir": relay.folder / "elsewhere"}
        reload(relay, smtp={"max_size": "2MiB", "listen": "127.0.0.1:9"}, storage=elsewhere)
        wait_for(lambda: relay.last_event("configuration reloaded"), "the configuration to be reloaded")
        wait_for(lambda: announced_size(relay.smtp_port) == 2 << 20, "the receiver to use it")
        client.send(b"Subject: App Failed\r\n\r\nbegun before, ended after\r\n.\r\n")
        assert client.getreply()[0] == 250
        client.quit()
        wait_for(lambda: relay.child("worker") != worker, "a new worker")
        Relay(relay.folder)  # `status` reads the data directory that the relay still uses
        wait_for(lambda: relay.status()["received"] == 2, "both mails to be ingested")

        assert relay.child("receiver") == receiver
        named = relay.last_event("only a restart changes these settings; they keep their old values")
        assert named is not None
        assert named["settings"] == ["storage.data_dir", "smtp.listen"]
        assert not (relay.folder / "elsewhere" / "ledger.db").exists()


def test_unusable_configuration_is_rejected_with_reasons_and_the_old_one_stays(relay: Relay):
    templates = relay.folder / "templates"
    templates.mkdir()
    (templates / "digest.body.txt").write_text("fine\n{% nonsense %}\n")
    with relay:
        wait_for(lambda: relay.child("worker"), "the worker")
        children = relay.child("receiver"), relay.child("worker")
        reload(relay, smtp={"max_sise": "2MiB"})
        first = wait_for(lambda: relay.last_event(REJECTED), "the rejection")
        reload(relay, templates=templates)
        wait_for(lambda: relay.last_event(REJECTED) != first, "the second rejection")
        second = relay.last_event(REJECTED)

        assert "max_sise: there is no such setting; did you mean max_size?" in first["problems"][0]
        assert second is not None
        assert "digest.body.txt" in second["problems"][0]
        assert announced_size(relay.smtp_port) == 1 << 20
        assert (relay.child("receiver"), relay.child("worker")) == children


async def test_child_that_cannot_start_with_its_new_configuration_gets_the_old_one_back(relay: Relay):
    """A fault that `relay check` did not find, because it appeared after the check."""
    (relay.folder / "digest.body.txt").write_text("{% nonsense %}\n")
    found = load(relay.config)
    good = worker_config(found.settings, found.tables)
    bad = worker_config(found.settings, {**found.tables, "templates": str(relay.folder)})
    with sockets.bind(found.settings.http.listen) as bound:
        child = Child(name="worker", config=good, sockets=[bound], pauses=(0.1,))
        stop = asyncio.Event()
        running = asyncio.create_task(child.keep_running(stop))
        await _until(lambda: child.ever_alive)
        child.reconfigure(bad)
        assert child.config == bad
        await _until(lambda: child.config == good)
        child.ever_alive = False
        await _until(lambda: child.ever_alive)
        stop.set()
        child.signal(signal.SIGTERM)
        await running


async def _until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


def test_relay_in_a_terminal_ends_on_sighup(relay: Relay):
    leader, follower = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve", "--config", str(relay.config)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    seen = b""
    while b"listening" not in seen:
        seen += os.read(leader, 4096)
    process.send_signal(signal.SIGHUP)
    try:
        assert process.wait(20) == -signal.SIGHUP
    finally:
        os.close(leader)


@pytest.mark.parametrize("role", ["receive", "work"])
def test_role_without_supervisor_logs_that_sighup_changes_nothing_and_goes_on(tmp_path: Path, role: str):
    relay = Relay(tmp_path / "relay")
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "relay", role, "--config", str(relay.config)], stderr=log)
    lock = relay.data / f"{'receiver' if role == 'receive' else 'worker'}.lock"
    try:
        wait_for(lambda: lock.exists() and lock.read_text() == str(process.pid), "the role to hold its lock")
        for _ in range(2):
            (tmp_path / "log").write_bytes(b"")
            process.send_signal(signal.SIGHUP)
            wait_for(
                lambda: "SIGHUP changes nothing here" in (tmp_path / "log").read_text("utf-8", "replace"),
                "the log line",
            )
        process.terminate()

        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
