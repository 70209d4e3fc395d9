"""The fallback folder: no mail in it is lost, sent twice or readable by other users."""

import errno
import itertools
import logging
import os
import resource
import stat
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_client import ErrorMailHandler
from app_client.delivery import backoff
from app_client.delivery.fallback import Fallback, Mail
from tests.support.disks import mount_tmpfs
from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT, Sink, closed_port, wait_until

MAIL = Mail(sender="a@example.com", recipients=["b@example.com"], content=b"Subject: Failed\r\n\r\ntext\r\n")


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "fallback"


@pytest.fixture
def first_failure_counts(monkeypatch):
    """The first failure counts as a long outage."""
    monkeypatch.setattr(backoff, "AWAY", 0.0)


def store(fallback: Fallback, *, created: float = 0.0, count: int = 1) -> str:
    record_id = uuid.uuid4().hex
    fallback.store(MAIL, created=created, record_id=record_id, count=count)
    return record_id


def mails(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.mail"))


def test_stored_mails_are_claimed_once_and_oldest_first(folder):
    ours, theirs = Fallback(folder), Fallback(folder)
    for created in (3.0, 1.0, 2.0):
        store(ours, created=created, count=int(created))

    taken = [ours.claim(), theirs.claim(), ours.claim()]

    assert [stored.count for stored in taken if stored] == [1, 2, 3]
    assert [stored.read() for stored in taken if stored] == [MAIL] * 3
    assert ours.claim() is theirs.claim() is None


def test_a_released_mail_can_be_claimed_again_but_a_removed_one_cannot(folder):
    fallback = Fallback(folder)
    store(fallback)
    first = fallback.claim()
    assert first

    fallback.release(first)
    again = fallback.claim()
    assert again
    fallback.remove(again)

    assert fallback.claim() is None
    assert not any(folder.iterdir())


def test_the_claim_of_a_dead_process_expires(folder, monkeypatch):
    store(Fallback(folder))
    assert Fallback(folder).claim()
    assert Fallback(folder).claim() is None

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)

    assert Fallback(folder).claim()


def test_only_this_user_can_read_the_folder(folder):
    previous = os.umask(0)
    try:
        store(Fallback(folder))
    finally:
        os.umask(previous)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(mails(folder)[0].stat().st_mode) == 0o600


def test_a_world_writable_folder_is_not_used(folder):
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(PermissionError, match="every user may write"):
        store(Fallback(folder))


@pytest.mark.parametrize("bounds", [{"max_files": 3}, {"max_bytes": 350}])
def test_a_folder_at_its_limit_refuses_mails(folder, bounds):
    """Mails of other processes count too."""
    for _ in range(3):
        store(Fallback(folder, **bounds))
    before = mails(folder)

    with pytest.raises(OSError, match="reached its limit") as refusal:
        store(Fallback(folder, **bounds))

    assert refusal.value.errno == errno.ENOSPC
    assert mails(folder) == before


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"[]\n", b"nonsense", b"{}\nx", b"\xff\xfe\n", b'{"sender": 1, "recipients": [], "size": 0}\n'],
)
def test_reading_an_incomplete_mail_raises_value_error(folder, content):
    fallback = Fallback(folder)
    store(fallback)
    mails(folder)[0].write_bytes(content)
    stored = fallback.claim()
    assert stored

    with pytest.raises(ValueError):
        stored.read()


def test_files_with_foreign_names_are_ignored(folder):
    folder.mkdir()
    names = {"notes.txt", "x.mail", ".hidden", "1-a-1.nonsense.claimed", "1-a-1.x-y.claimed"}
    for name in names:
        (folder / name).write_text("x")

    assert Fallback(folder).claim() is None
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_links_and_pipes_are_not_read(folder, kind):
    """A read from the pipe would block."""
    fallback = Fallback(folder)
    store(fallback)
    [path] = mails(folder)
    path.unlink()
    if kind == "link":
        path.symlink_to("/etc/passwd")
    else:
        os.mkfifo(path)
    stored = fallback.claim()
    assert stored

    with pytest.raises((OSError, ValueError)):
        stored.read()


def test_a_mail_is_never_claimed_twice_at_a_time(folder):
    for number in range(200):
        store(Fallback(folder), created=number)
    taken: list[str] = []

    def take() -> None:
        fallback = Fallback(folder)
        while (stored := fallback.claim()) is not None:
            taken.append(stored.path.name.partition(".")[0])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(set(taken)) == 200


def test_errors_wait_in_the_folder_and_are_sent_when_the_relay_is_back(
    first_failure_counts, folder, sink, make_handler, make_logger
):
    handler = make_handler(sink.mailhost, fallback=folder)
    logger = make_logger(handler)
    sink.stop()
    for character in "abcabc":
        logger.error("error %s", character)
    wait_until(lambda: handler.pending == 0)
    stored = mails(folder)

    sink.start()
    wait_until(lambda: sink.occurrences == 6)
    wait_until(lambda: not any(folder.iterdir()))

    assert stored
    assert handler.dropped == 0
    assert {mail.text for mail in sink.mails} == {"error a\n", "error b\n", "error c\n"}
    assert len({mail.record_id for mail in sink.mails}) == len(sink.attempted)


def test_a_short_outage_does_not_use_the_folder(folder, sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost, fallback=folder)
    sink.stop()
    make_logger(handler).error("early")
    wait_until(lambda: handler._sender()._backoff.failures >= 3)
    sink.start()
    handler.flush(TIMEOUT)

    assert not folder.exists()
    assert sink.occurrences == 1


@pytest.mark.parametrize("problem", ["a file in its place", "no permission", "full"])
def test_errors_wait_in_memory_if_the_folder_cannot_store_them(
    first_failure_counts, problem, folder, sink, make_handler, make_logger, capsys, monkeypatch
):
    if problem == "a file in its place":
        folder.write_text("no folder")
    elif problem == "no permission":
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
    else:
        monkeypatch.setattr("app_client.delivery.fallback.MAX_FILES", 0)
        monkeypatch.setattr(Fallback.__init__, "__kwdefaults__", {"max_files": 0, "max_bytes": 0})
    handler = make_handler(sink.mailhost, fallback=folder)
    logger = make_logger(handler)
    sink.stop()
    for character in "abc":
        logger.error("error %s", character)
    wait_until(lambda: handler._sender()._backoff.failures >= 3)
    assert (handler.pending, handler.dropped) == (3, 0)
    sink.start()
    handler.flush(TIMEOUT)

    assert sink.occurrences == 3
    assert "the fallback folder cannot store the mail" in capsys.readouterr().err


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount_tmpfs(disk, "size=128k,mode=0755")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


WORDS = ["".join(characters) for characters in itertools.product("abcdefgh", repeat=4)]


def log_different(logger: logging.Logger, words: list[str]) -> None:
    for word in words:
        logger.error("error %s %s", word, "x" * 1000)


def could_not_store(handler: ErrorMailHandler) -> bool:
    """Return True once the folder could not store a mail."""
    return "the fallback folder cannot store the mail" in handler._sender()._courier._reported


def test_all_errors_are_counted_if_the_disk_is_full(first_failure_counts, small_disk, sink, make_handler, make_logger):
    """More errors than fit on the disk and into memory: each is sent, or reported as dropped."""
    folder = small_disk / "fallback"
    handler = make_handler(sink.mailhost, fallback=folder, queue_size=20)
    logger = make_logger(handler)
    sink.stop()
    words = iter(WORDS)

    def is_full() -> bool:
        log_different(logger, [next(words)])
        return could_not_store(handler)

    wait_until(is_full)
    log_different(logger, more := list(itertools.islice(words, 50)))
    logged = WORDS.index(more[-1]) + 1

    assert 0 < len(mails(folder)) <= 32
    assert handler.dropped >= 30
    assert not list(folder.glob("*.new"))
    sink.start()
    handler.flush(TIMEOUT)
    wait_until(lambda: not any(folder.iterdir()))
    logger.error("last")
    handler.flush(TIMEOUT)

    assert handler.pending == handler.dropped == 0
    by_id = {mail.record_id: mail for mail in sink.mails}
    assert sum(mail.count + mail.dropped for mail in by_id.values()) == logged + 1


def test_the_folder_is_used_again_once_the_disk_has_space(first_failure_counts, small_disk, make_handler, make_logger):
    folder, filler = small_disk / "fallback", small_disk / "filler"
    with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(1024 * 1024))
    handler = make_handler(("127.0.0.1", closed_port()), fallback=folder)
    log_different(make_logger(handler), WORDS[:5])
    wait_until(lambda: could_not_store(handler))
    assert (handler.pending, handler.dropped) == (5, 0)

    filler.unlink()
    wait_until(lambda: handler.pending == 0)

    assert sum(int(path.stem.rpartition("-")[2]) for path in mails(folder)) == 5
    assert handler.dropped == 0


def test_errors_are_delivered_although_the_disk_is_read_only(
    first_failure_counts, small_disk, sink, make_handler, make_logger
):
    """A mail stored before cannot be claimed either; it is sent when the disk is writable again."""
    folder = small_disk / "fallback"
    store(Fallback(folder), count=3)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    handler = make_handler(sink.mailhost, fallback=folder)
    sink.stop()
    log_different(make_logger(handler), WORDS[:5])
    wait_until(lambda: could_not_store(handler))
    assert (handler.pending, handler.dropped) == (5, 0)
    sink.start()
    handler.flush(TIMEOUT)
    assert sink.occurrences == 5

    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    make_handler(sink.mailhost, fallback=folder)
    wait_until(lambda: not any(folder.iterdir()))

    assert [mail.content for mail in sink.mails].count(b"Subject: Failed\r\n\r\ntext\r\n") == 1


def test_a_failed_write_leaves_no_file_behind(folder):
    """As with a quota."""
    fallback = Fallback(folder)
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            store(fallback)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert not any(folder.iterdir())
    store(fallback)
    assert len(mails(folder)) == 1


def test_a_damaged_file_is_counted_as_dropped_and_does_not_block_others(folder, sink, make_handler, make_logger):
    store(Fallback(folder), created=1.0, count=7)
    store(Fallback(folder), created=2.0)
    mails(folder)[0].write_bytes(b"torn")

    handler = make_handler(sink.mailhost, fallback=folder)
    sink.wait_for(1)
    wait_until(lambda: not any(folder.iterdir()))
    assert handler.dropped == 7
    make_logger(handler).error("next")
    handler.flush()

    assert [mail.dropped for mail in sink.mails if "next" in mail.text] == [7]


def test_a_stored_mail_that_is_refused_permanently_is_dropped(folder, make_handler):
    relay = Sink(answer=lambda _mail: "554 never").start()
    store(Fallback(folder), count=5)

    handler = make_handler(relay.mailhost, fallback=folder)
    wait_until(lambda: handler.dropped == 5)
    wait_until(lambda: not any(folder.iterdir()))
    relay.stop()


def test_mails_move_to_the_folder_when_half_of_the_memory_is_used(folder, make_handler, make_logger):
    """Without waiting for a long outage, and before errors are dropped."""
    handler = make_handler(("127.0.0.1", closed_port()), fallback=folder, queue_size=20)
    logger = make_logger(handler)

    for word in itertools.islice(itertools.product("abcdefgh", repeat=2), 15):
        logger.error("error %s", "".join(word))
    wait_until(lambda: handler.pending == 0)

    assert handler.dropped == 0
    assert len(mails(folder)) == 15


def test_a_flask_app_configures_the_folder(first_failure_counts, folder, sink):
    flask = pytest.importorskip("flask", reason="Flask is not installed")
    from app_client.flask import KEY, ErrorMail

    app = flask.Flask("fallback_app")
    app.config.update(ADMINS="b@example.com", ERROR_MAIL_HOST=sink.mailhost, ERROR_MAIL_FALLBACK=str(folder))
    ErrorMail(app)
    handler = app.extensions[KEY]
    sink.stop()
    app.logger.error("while away")
    wait_until(lambda: mails(folder) or handler.pending == 0)
    sink.start()
    wait_until(lambda: sink.occurrences == 1)
    handler.close()

    assert folder.exists()


def test_a_storm_during_repeated_outages_is_counted_exactly(first_failure_counts, folder, make_handler, make_logger):
    """Through memory and through the folder, with two handlers that share it. No error counts twice, by record id."""
    relay = Sink().start()
    handlers = [make_handler(relay.mailhost, fallback=folder, queue_size=50) for _ in range(2)]
    loggers = [make_logger(handler) for handler in handlers]
    words = ["".join(characters) for characters in itertools.product("abcdef", repeat=3)]
    for number, word in enumerate(words):
        loggers[number % 2].error("failed at %s", word)
        if number % 60 == 20:
            wait_until(lambda: len(relay.connections) == 2)
            relay.stop()
        elif number % 60 == 50:
            relay.start()
            relay.wait_for(len(relay.mails) + 1)
    relay.stop()
    relay.start()
    for handler in handlers:
        handler.flush(TIMEOUT)
    wait_until(lambda: not folder.exists() or not any(folder.iterdir()))
    for handler, logger in zip(handlers, loggers, strict=True):  # this mail reports the dropped errors
        logger.error("last")
        handler.flush(TIMEOUT)
    by_id = {mail.record_id: mail for mail in relay.mails}
    relay.stop()

    assert sum(mail.count + mail.dropped for mail in by_id.values()) == len(words) + 2
    assert [handler.pending + handler.dropped for handler in handlers] == [0, 0]


SCRIPT = """
    import logging, sys
    from app_client import ErrorMailHandler
    handler = ErrorMailHandler(
        sys.argv[1], "a@example.com", "b@example.com", "Failed", exit_timeout=0.2, fallback=sys.argv[2]
    )
    logger = logging.getLogger("yourapplication")
    logger.addHandler(handler)
    for word in ("one", "two", "two"): logger.error("%s by " + sys.argv[3], word)
"""


def test_stored_mails_survive_their_process_and_a_later_process_sends_them(folder, sink, make_handler):
    """Three processes end at the same time while the relay is unavailable; two later handlers send their mails."""
    sink.stop()
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), "{}:{}".format(*sink.mailhost), str(folder)]
    processes = [
        subprocess.Popen([*command, name], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for name in ("anna", "ben", "cleo")
    ]
    outputs = [process.communicate(timeout=3 * TIMEOUT)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert not any("dropped" in output for output in outputs), outputs

    sink.start()
    handlers = [make_handler(sink.mailhost, fallback=folder) for _ in range(2)]
    wait_until(lambda: not any(folder.iterdir()))

    assert sink.occurrences == 9
    assert len({mail.record_id for mail in sink.mails}) == len(sink.attempted)
    assert [handler.dropped for handler in handlers] == [0, 0]
