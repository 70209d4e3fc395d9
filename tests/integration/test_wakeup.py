"""The worker sleeps until something happens: what wakes it, and what a lost wake-up costs."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.clock import utc_now
from relay.config import make_settings
from relay.ledger import Ledger, sqlite_url
from relay.service import worker_loops
from relay.service.waker import LEDGER, MAIL, Waker, wake_worker
from relay.service.wakeup import Wakeup
from relay.service.worker import WorkerRole
from relay.spool import segment
from tests.support.ingest_bench import IngestBench, mail
from tests.support.processes import send_mail

NEVER = 3600.0
"""Seconds that no test waits: what happens although the worker sleeps for so long was caused by a wake-up."""


# --- The FIFO ---------------------------------------------------------------------------------------------------------


def test_wake_up_sent_before_the_wait_is_not_lost(tmp_path: Path):
    with Wakeup(tmp_path / "wakeup") as wakeup:
        Waker(tmp_path / "wakeup").wake()

        assert wakeup.wait(NEVER) == MAIL
        assert wakeup.wait(0) == b""


def test_wake_up_ends_a_wait_that_has_begun(tmp_path: Path):
    found: list[bytes] = []
    with Wakeup(tmp_path / "wakeup") as wakeup:
        thread = threading.Thread(target=lambda: found.append(wakeup.wait(NEVER)))
        thread.start()
        Waker(tmp_path / "wakeup").wake(LEDGER)
        thread.join()

    assert found == [LEDGER]


def test_sender_outlives_the_worker_and_wakes_the_next_one(tmp_path: Path):
    """The worker was killed: its FIFO lies there and nobody reads it."""
    path = tmp_path / "wakeup"
    waker = Waker(path)
    waker.wake()  # no worker has ever run
    for _ in range(3):
        with Wakeup(path) as wakeup:
            waker.wake()
            assert wakeup.wait(NEVER) == MAIL
        waker.wake()
        waker.wake()
    waker.close()


def test_full_fifo_neither_blocks_nor_fails_the_sender(tmp_path: Path):
    waker = Waker(tmp_path / "wakeup")
    with Wakeup(tmp_path / "wakeup") as wakeup:
        for _ in range(100_000):
            waker.wake()
        wakeup.wake()

        assert set(wakeup.wait(NEVER)) == set(MAIL)
    waker.close()


def test_anything_else_at_its_place_is_replaced(tmp_path: Path):
    (tmp_path / "wakeup").write_text("copied by a program that does not know FIFOs")

    with Wakeup(tmp_path / "wakeup") as wakeup:
        wake_worker(tmp_path / "wakeup")
        assert wakeup.wait(NEVER) == LEDGER

    mode = (tmp_path / "wakeup").stat().st_mode
    assert (stat.S_ISFIFO(mode), stat.S_IMODE(mode)) == (True, 0o600)


def test_without_a_fifo_the_process_still_wakes_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As on a file system that has none."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "mkfifo", refused)
    with Wakeup(tmp_path / "wakeup") as wakeup:
        wakeup.wake()

        assert not wakeup.audible
        assert wakeup.wait(NEVER) == LEDGER


def test_wake_after_close_does_nothing(tmp_path: Path):
    wakeup = Wakeup(tmp_path / "wakeup")
    wakeup.close()

    wakeup.wake()


# --- The worker -------------------------------------------------------------------------------------------------------


class Sleeper:
    """A worker in this process; it records how long it asked to sleep, and how often it listed the spool."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sleeps: list[float] = []
        self.listings = 0
        self.path = folder / "wakeup"
        self.bench = IngestBench(folder, Ledger.open(sqlite_url(folder / "ledger.db")))
        wait, list_segments = Wakeup.wait, segment.segment_numbers

        def recorded(wakeup: Wakeup, seconds: float) -> bytes:
            self.sleeps.append(seconds)
            return wait(wakeup, seconds)

        def counted(folder: Path) -> list[int]:
            self.listings += threading.current_thread().name == "sorting"
            return list_segments(folder)

        monkeypatch.setattr(Wakeup, "wait", recorded)
        monkeypatch.setattr("relay.spool.reader.segment_numbers", counted)

    def received(self) -> int:
        return self.bench.ledger.books(utc_now()).received

    def has_received(self, mails: int) -> bool:
        return self.received() == mails

    def reported(self) -> int:
        return self.bench.ledger.books(utc_now()).reported


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sleeper]:
    found = Sleeper(tmp_path, monkeypatch)
    yield found
    found.bench.ledger.close()


@contextmanager
def running(folder: Path, **tables: object) -> Iterator[WorkerRole]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        role = WorkerRole(make_settings(folder, **tables), [bound])
        thread = threading.Thread(target=role.run)
        thread.start()
        try:
            yield role
        finally:
            role.stop()
            thread.join()
            role.pages.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_wake_ups_alone_bring_a_mail_from_the_spool_to_the_mailbox(
    sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The worker never looks without a reason, and the mail is ingested, reported when it is due, and delivered."""
    monkeypatch.setattr(worker_loops, "POLL", NEVER)
    with running(tmp_path, timing={"first_wait": "1s"}):
        until(lambda: NEVER in sleeper.sleeps)
        for number in range(3):
            sleeper.bench.spool([mail(f"trouble with part {'abc'[number]}")], at=utc_now())
            Waker(sleeper.path).wake()
            until(partial(sleeper.has_received, number + 1))
        until(lambda: sleeper.reported() >= 1)
        assert list((tmp_path / "mailbox" / "new").iterdir())


def test_idle_worker_lists_the_spool_a_few_times_and_then_sleeps(
    sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worker_loops, "POLL", NEVER)
    sleeper.bench.spool([mail()], at=utc_now())
    with running(tmp_path):
        until(lambda: sleeper.received() == 1 and sleeper.sleeps)
        waits = len(sleeper.sleeps)
        until(lambda: len(sleeper.sleeps) > waits or sleeper.sleeps[-1] > 2)

    assert sleeper.listings <= 3 * (len(sleeper.sleeps) + 4), "three for each time it looks"


def test_idle_worker_sleeps_for_seconds_by_default(sleeper: Sleeper, tmp_path: Path):
    with running(tmp_path):
        until(lambda: worker_loops.POLL in sleeper.sleeps)

    assert worker_loops.POLL >= 5


def test_mail_whose_wake_up_was_lost_is_found_by_the_next_look(
    sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The receiver is of an earlier release, or the FIFO was full."""
    monkeypatch.setattr(worker_loops, "POLL", 0.05)
    with running(tmp_path):
        until(lambda: sleeper.sleeps)
        sleeper.bench.spool([mail()], at=utc_now())
        until(lambda: sleeper.received() == 1)


def test_worker_without_a_fifo_looks_often(sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "mkfifo", refused)
    with running(tmp_path):
        until(lambda: sleeper.sleeps)
        sleeper.bench.spool([mail()], at=utc_now())
        until(lambda: sleeper.received() == 1)

    assert max(sleeper.sleeps) == worker_loops.SETTLE_PAUSE


def test_unreadable_spool_is_tried_again_after_a_short_pause(
    sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def unreadable(_: Path) -> list[int]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(worker_loops, "POLL", NEVER)
    with monkeypatch.context() as broken:
        broken.setattr("relay.spool.reader.segment_numbers", unreadable)
        with running(tmp_path):
            until(lambda: sleeper.sleeps)

    assert sleeper.sleeps[0] == worker_loops.RETRY_PAUSE


def test_worker_with_a_shared_ledger_looks_every_second(tmp_path: Path):
    """Other machines change the ledger and cannot wake this worker."""
    made = make_settings(tmp_path, storage={"ledger": "postgresql://relay@db/relay"})
    ledger = Ledger.open(sqlite_url(tmp_path / "ledger.db"))
    with Wakeup(tmp_path / "wakeup") as wakeup:
        worker = worker_loops.Worker(made, ledger, "one", wakeup)

        assert worker._sorting_poll == worker_loops.SHARED_POLL == 1
    ledger.close()


@pytest.mark.parametrize("command", [["unmute", "1"], ["outbox", "retry", "--all"], ["send-test"]])
def test_command_that_opens_the_ledger_wakes_the_worker(tmp_path: Path, command: list[str]):
    (tmp_path / "relay.toml").write_text(f'[storage]\ndata_dir = "{tmp_path}"\n')
    Ledger.open(sqlite_url(tmp_path / "ledger.db")).close()
    with Wakeup(tmp_path / "wakeup") as wakeup:
        CliRunner().invoke(main, [*command, "--config", str(tmp_path / "relay.toml")])

        assert wakeup.wait(NEVER) == LEDGER


def test_wake_up_by_a_command_reaches_the_delivery_thread(
    sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`relay outbox retry` changes what the outbox has to do, and nothing of the spool."""
    monkeypatch.setattr(worker_loops, "POLL", NEVER)
    looked = threading.Event()
    claim = Ledger.claim_message

    def claim_message(*arguments: Any) -> object:
        looked.set()
        return claim(*arguments)

    with running(tmp_path):
        until(lambda: NEVER in sleeper.sleeps)
        monkeypatch.setattr(Ledger, "claim_message", claim_message)
        wake_worker(sleeper.path)

        assert looked.wait(60)


def test_receiver_wakes_the_worker_for_a_mail(tmp_path: Path):
    """The real receiver, alone; this process is in the worker's place."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {"RELAY_STORAGE__DATA_DIR": str(tmp_path), "RELAY_SMTP__LISTEN": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "relay", "receive"]
    with (
        Wakeup(tmp_path / "wakeup") as wakeup,
        subprocess.Popen(command, env=os.environ | settings, stderr=subprocess.DEVNULL) as receiver,
    ):
        try:
            until(partial(accepts, port))
            send_mail(port)

            assert wakeup.wait(NEVER).startswith(MAIL)
        finally:
            receiver.terminate()


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_due_time_is_never_slept_through():
    seconds_until = worker_loops._seconds_until

    assert seconds_until(utc_now() - timedelta(hours=1), 5.0) == worker_loops.MARGIN
    assert 0 < seconds_until(utc_now() + timedelta(seconds=1), 5.0) <= 1 + worker_loops.MARGIN
    assert seconds_until(utc_now() + timedelta(hours=1), 5.0) == 5
    assert seconds_until(None, 5.0) == 5
