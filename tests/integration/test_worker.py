"""The worker beside a ledger that turns out to be damaged while it works."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.config import make_settings
from relay.errors import InUse, LedgerDamaged
from relay.ledger import Ledger, sqlite_url
from relay.service.lock import hold_lock
from relay.service.worker import WorkerRole
from tests.support.ingest_bench import NOW, IngestBench, mail


def test_damage_met_while_it_works_is_shown_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The worker's process stays, lets go of its lock, and works again once the ledger does."""
    real, damaged = Ledger.ingesting, threading.Event()

    def ingesting(ledger: Ledger, spool_id: str, position: int):
        if damaged.is_set():
            raise LedgerDamaged("the ledger is damaged (here); `relay repair` saves what can be read")
        return real(ledger, spool_id, position)

    monkeypatch.setattr(Ledger, "ingesting", ingesting)
    monkeypatch.setattr("relay.service.worker.LOOK_AGAIN", (0.01,))
    bench = IngestBench(tmp_path, Ledger.open(sqlite_url(tmp_path / "ledger.db")))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        duty = WorkerRole(make_settings(tmp_path), [bound])
        thread = threading.Thread(target=duty.run)
        thread.start()
        bench.spool([mail()])
        until(lambda: bench.ledger.books(NOW).received == 1)
        damaged.set()
        bench.spool([mail()])
        until(lambda: "is damaged (here)" in duty.pages.app.test_client().get("/readyz").text)
        until(lambda: is_free(tmp_path))
        with hold_lock(tmp_path, "worker"):
            assert duty.pages.app.test_client().get("/livez").status_code == 200
        damaged.clear()
        until(lambda: bench.ledger.books(NOW).received == 2)
        duty.stop()
        thread.join()
        duty.pages.close()
    bench.ledger.close()


def is_free(data_dir: Path) -> bool:
    """Whether no worker holds the data directory."""
    try:
        with hold_lock(data_dir, "worker"):
            return True
    except InUse:
        return False


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
