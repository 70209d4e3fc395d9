"""What `relay serve` says where it cannot begin: sockets and the data directory."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.config import Listen, make_settings
from relay.errors import InUse, LedgerDamaged
from relay.ledger import Ledger, sqlite_url
from relay.service.lock import NoState, hold, make_private
from relay.service.sockets import CannotListen, bind, inherited
from relay.service.worker import Duty
from tests.support.desk import NOW, Desk, mail


def test_damage_met_while_it_works_is_shown_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The worker's process stays, lets go of its lock, and works again once the ledger does."""
    real, damaged = Ledger.sorting, threading.Event()

    def sorting(ledger: Ledger, spool_id: str, position: int):
        if damaged.is_set():
            raise LedgerDamaged("the ledger is damaged (here); `relay repair` saves what can be read")
        return real(ledger, spool_id, position)

    monkeypatch.setattr(Ledger, "sorting", sorting)
    monkeypatch.setattr("relay.service.worker.LOOK_AGAIN", (0.01,))
    desk = Desk(tmp_path, Ledger.open(sqlite_url(tmp_path / "ledger.db")))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        duty = Duty(make_settings(tmp_path), [bound])
        thread = threading.Thread(target=duty.run)
        thread.start()
        desk.spool([mail()])
        until(lambda: desk.ledger.books(NOW).received == 1)
        damaged.set()
        desk.spool([mail()])
        until(lambda: "is damaged (here)" in duty.pages.app.test_client().get("/readyz").text)
        until(lambda: is_free(tmp_path))
        with hold(tmp_path, "worker"):
            assert duty.pages.app.test_client().get("/livez").status_code == 200
        damaged.clear()
        until(lambda: desk.ledger.books(NOW).received == 2)
        duty.stop()
        thread.join()
        duty.pages.close()
    desk.ledger.close()


def is_free(data_dir: Path) -> bool:
    """Whether no worker holds the data directory."""
    try:
        with hold(data_dir, "worker"):
            return True
    except InUse:
        return False


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_port_that_is_taken_is_said_so():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CannotListen, match="another program has the port"),
    ):
        bind(Listen("127.0.0.1", taken.getsockname()[1]))


def test_a_port_that_becomes_free_is_waited_for():
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    threading.Timer(0.3, taken.close).start()

    with bind(Listen("127.0.0.1", port), patience=10) as bound:
        assert bound.getsockname()[1] == port


@pytest.mark.parametrize(
    ("host", "words"), [("192.0.2.1", "this machine has no such address"), ("no-such-host.invalid", "not known here")]
)
def test_an_address_that_is_not_ours_is_said_so_without_waiting(host, words):
    began = time.monotonic()

    with pytest.raises(CannotListen, match=words):
        bind(Listen(host, 0), patience=60)
    assert time.monotonic() - began < 30


def test_sockets_meant_for_another_process_are_not_taken():
    assert inherited({"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}) == {}
    assert inherited({}) == {}


def test_a_role_is_held_once_and_let_go_of_at_the_end(tmp_path: Path):
    with hold(tmp_path, "worker"), pytest.raises(InUse, match=f"process {os.getpid()}"), hold(tmp_path, "worker"):
        pass
    with hold(tmp_path, "worker"), hold(tmp_path, "receiver"):
        assert (tmp_path / "worker.lock").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(NoState, match=r"Not a directory; set storage\.data_dir"):
        make_private(tmp_path / "file" / "data")


def test_a_lock_that_cannot_be_written_is_said_so(tmp_path: Path):
    (tmp_path / "worker.lock").mkdir()

    with pytest.raises(NoState, match="it must belong to this user"), hold(tmp_path, "worker"):
        pass


def test_the_data_directory_is_for_us_alone(tmp_path: Path):
    assert make_private(tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700
