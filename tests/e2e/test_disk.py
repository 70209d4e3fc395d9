"""The real processes on full or failing disks and over a damaged ledger: mail is accepted as long as possible."""

from __future__ import annotations

import errno
import json
import os
import smtplib
import sqlite3
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.ledger import sqlite_url
from tests.support.disks import FailingMachine, fill, small_disk
from tests.support.processes import Relay, wait_for

pytestmark = pytest.mark.e2e
BODY = "Subject: App Failed\r\n\r\nthe disk is full\r\n"
LONG = "a@" + ".".join(["d" * 60] * 4)
"""A long sender address: the sender is stored with a mail that is only counted, so the reserve fills faster."""


def send(port: int, body: str = BODY, times: int = 1, sender: str = "app@example.com") -> list[int]:
    """Send `times` mails in one session; return the reply codes."""
    codes = []
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for _ in range(times):
            try:
                client.sendmail(sender, ["a@example.com"], body)
            except smtplib.SMTPDataError as refusal:
                codes.append(refusal.smtp_code)
            else:
                codes.append(250)
    return codes


def readiness(relay: Relay) -> dict[str, str]:
    """Return the answer of /readyz; {} while there is none."""
    try:
        return json.loads(relay.get("/readyz"))
    except urllib.error.HTTPError as unready:
        return json.loads(unready.read())
    except OSError:
        return {}


def wait_for_readyz(relay: Relay, part: str, text: str) -> None:
    """Wait until /readyz shows `text` for that part; fail with its whole answer."""
    try:
        wait_for(lambda: text in str(readiness(relay).get(part, "")), f"/readyz to show {text!r} for the {part}")
    except AssertionError as error:
        error.add_note(f"it shows: {readiness(relay)}; the books: {relay.run('status', '--json').stdout}")
        raise


def all_ingested(relay: Relay, accepted: int) -> Callable[[], bool]:
    """Return a check that every accepted mail is in the books, which balance."""

    def settled() -> bool:
        status = relay.status()
        assert status["balanced"]
        assert status["received"] <= accepted
        return status["received"] == accepted and status["spooled_unsorted"] == 0

    return settled


# --- Full -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 12) as folder:
        yield folder


def test_full_disk_counts_mails_then_answers_452_and_recovers_by_itself(disk: Path, tmp_path: Path):
    """Spool and ledger are on the full disk, and both processes are killed meanwhile."""
    with Relay(tmp_path / "relay", storage={"data_dir": disk / "data"}) as relay:
        codes = send(relay.smtp_port, times=3)
        wait_for(all_ingested(relay, 3), "the first mails to be ingested")
        ballast = fill(disk)
        codes += send(relay.smtp_port, BODY + "x" * 60_000, times=10)
        assert codes == [250] * 13
        wait_for_readyz(relay, "disk", "is full")
        relay.kill("receiver")
        relay.kill("worker")
        codes += send(relay.smtp_port, BODY + "x" * 60_000, times=10)
        assert codes == [250] * 23, "the reserve survives a restart"
        while codes[-1] == 250:
            assert len(codes) < 20_000
            codes += send(relay.smtp_port, sender=LONG, times=500)
        assert set(codes) == {250, 452}
        wait_for_readyz(relay, "ledger", "full")
        ballast.unlink()
        wait_for(lambda: send(relay.smtp_port) == [250], "mails to be accepted again")
        wait_for(all_ingested(relay, codes.count(250) + 1), "everything to be ingested")
        wait_for_readyz(relay, "disk", "has free space")


@pytest.mark.parametrize("full", ["spool", "ledger"])
def test_one_full_disk_of_two_loses_no_mail(disk: Path, tmp_path: Path, full: str):
    elsewhere = tmp_path / "elsewhere"
    places = {"spool": (disk / "data", elsewhere / "ledger.db"), "ledger": (elsewhere, disk / "ledger.db")}
    data_dir, ledger = places[full]
    with Relay(tmp_path / "relay", storage={"data_dir": data_dir, "ledger": sqlite_url(ledger)}) as relay:
        assert send(relay.smtp_port) == [250]
        wait_for(all_ingested(relay, 1), "the first mail to be ingested")
        ballast = fill(disk)
        assert send(relay.smtp_port, BODY + "x" * 60_000, times=50) == [250] * 50
        if full == "ledger":
            wait_for_readyz(relay, "ledger", "full")
        ballast.unlink()
        wait_for(all_ingested(relay, 51), "everything to be ingested")


# --- Failing ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(tmp_path: Path) -> FailingMachine:
    return FailingMachine(tmp_path)


def test_failing_disk_answers_452_and_loses_no_accepted_mail(failing: FailingMachine, tmp_path: Path):
    """Each kind of call fails on the spool, then on the ledger: mails with a 250 are counted once, others never."""
    relay = Relay(tmp_path / "relay")
    relay.environ.update(failing.environ)
    with relay:
        codes = send(relay.smtp_port)
        for calls in (["pwrite"], ["fsync"], ["fsync", "rename"]):
            for error in (errno.EIO, errno.EROFS):
                for call in calls:
                    failing.fail(call, error, "/spool/0" if call != "rename" else "/spool/")
                    refused = send(relay.smtp_port, times=2)
                    assert refused == [452, 452], call
                failing.recover()
                codes += send(relay.smtp_port, times=2)
        assert codes == [250] * 13
        failing.fail("pread", errno.EIO, "/spool/0")
        codes += send(relay.smtp_port, times=5)
        wait_for_readyz(relay, "spool", "Input/output error")
        for call in ("pwrite", "fsync"):
            failing.fail(call, errno.EIO, "ledger.db")
            codes += send(relay.smtp_port, times=5)
            wait_for_readyz(relay, "ledger", "disk I/O error")
        failing.recover()
        assert codes == [250] * 28

        wait_for(all_ingested(relay, 28), "everything to be ingested")
        wait_for(lambda: not {"ledger", "spool"} & readiness(relay).keys(), "the failures to be over")


# --- Damaged ----------------------------------------------------------------------------------------------------------


def test_worker_waits_for_the_repair_of_a_damaged_ledger_while_mail_is_accepted(tmp_path: Path):
    relay = Relay(tmp_path / "relay", admins=["one@example.com"])
    umask = os.umask(0)  # even with umask 0 only the owner can read the state
    with relay:
        os.umask(umask)
        assert send(relay.smtp_port, times=3) == [250] * 3
        wait_for(all_ingested(relay, 3), "the first mails to be ingested")
    with (relay.data / "ledger.db").open("r+b") as file:
        file.write(os.urandom(20))
    with relay:
        assert send(relay.smtp_port, times=2) == [250] * 2
        wait_for_readyz(relay, "ledger", "`relay repair` saves what can be read")
        assert relay.get("/livez")
        assert relay.run("status").stderr.startswith("the ledger is damaged")
        line = relay.last_event("the worker is waiting; mail is still accepted")
        assert line is not None
        assert "relay repair" in line["why"]
        done = relay.run("repair")
        wait_for(all_ingested(relay, 5), "everything to be ingested")

    assert done.returncode == 0, done.stderr
    assert "the old file is kept as" in done.stdout
    assert "2 mails in the spool not ingested yet" in done.stdout
    assert len(list(relay.data.glob("ledger.db.damaged-*"))) == 1
    assert {path.stat().st_mode & 0o777 for path in relay.data.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [relay.data, *relay.data.rglob("*")] if path.is_dir()} == {0o700}


def test_worker_waits_over_a_ledger_of_a_later_release_while_mail_is_accepted(tmp_path: Path):
    relay = Relay(tmp_path / "relay")
    with relay:
        assert send(relay.smtp_port) == [250]
        wait_for(all_ingested(relay, 1), "the first mail to be ingested")
    with sqlite3.connect(relay.data / "ledger.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with relay:
        wait_for_readyz(relay, "ledger", "of a later release (schema 9999); run that release")
        assert send(relay.smtp_port) == [250]
