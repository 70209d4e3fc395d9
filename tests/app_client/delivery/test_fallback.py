"""The folder where mails wait for a relay that is away for long: nothing in it is lost, doubled or read by others."""

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
from app_client.delivery.fallback import Fallback, OutboxMessage
from tests.support.disks import mount_tmpfs
from tests.support.paths import ROOT
from tests.support.smtp_sinks import PATIENCE, Sink, closed_port, wait_until

LETTER = OutboxMessage(sender="a@example.com", recipients=["b@example.com"], content=b"Subject: Failed\r\n\r\ntext\r\n")


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "fallback"


@pytest.fixture
def soon(monkeypatch):
    """A relay is away for long from the first failure on."""
    monkeypatch.setattr(backoff, "AWAY", 0.0)


def store(fallback: Fallback, *, created: float = 0.0, count: int = 1) -> str:
    record_id = uuid.uuid4().hex
    fallback.store(LETTER, created=created, record_id=record_id, count=count)
    return record_id


def mails(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.mail"))


def test_what_is_stored_is_claimed_oldest_first_and_once(folder):
    ours, theirs = Fallback(folder), Fallback(folder)
    for created in (3.0, 1.0, 2.0):
        store(ours, created=created, count=int(created))

    taken = [ours.claim(), theirs.claim(), ours.claim()]

    assert [stored.count for stored in taken if stored] == [1, 2, 3]
    assert [stored.read() for stored in taken if stored] == [LETTER] * 3
    assert ours.claim() is theirs.claim() is None


def test_a_released_mail_can_be_claimed_again_and_a_removed_one_not(folder):
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


def test_what_a_dead_process_had_claimed_is_taken_over_after_a_while(folder, monkeypatch):
    store(Fallback(folder))
    assert Fallback(folder).claim()
    assert Fallback(folder).claim() is None

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)

    assert Fallback(folder).claim()


def test_only_this_user_can_read_it(folder):
    previous = os.umask(0)
    try:
        store(Fallback(folder))
    finally:
        os.umask(previous)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(mails(folder)[0].stat().st_mode) == 0o600


def test_a_folder_that_anybody_may_write_to_is_not_used(folder):
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(PermissionError, match="anybody may write"):
        store(Fallback(folder))


@pytest.mark.parametrize("bounds", [{"max_files": 3}, {"max_bytes": 350}])
def test_it_takes_no_more_than_it_may(folder, bounds):
    """What another process stored counts as well."""
    for _ in range(3):
        store(Fallback(folder, **bounds))
    before = mails(folder)

    with pytest.raises(OSError, match="as much as it may") as refusal:
        store(Fallback(folder, **bounds))

    assert refusal.value.errno == errno.ENOSPC
    assert mails(folder) == before


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"[]\n", b"nonsense", b"{}\nx", b"\xff\xfe\n", b'{"sender": 1, "recipients": [], "size": 0}\n'],
)
def test_what_is_no_whole_mail_is_a_value_error(folder, content):
    fallback = Fallback(folder)
    store(fallback)
    mails(folder)[0].write_bytes(content)
    stored = fallback.claim()
    assert stored

    with pytest.raises(ValueError):
        stored.read()


def test_names_that_are_not_ours_are_left_alone(folder):
    folder.mkdir()
    names = {"notes.txt", "x.mail", ".hidden", "1-a-1.nonsense.claimed", "1-a-1.x-y.claimed"}
    for name in names:
        (folder / name).write_text("x")

    assert Fallback(folder).claim() is None
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_is_not_read(folder, kind):
    """Nor waited for."""
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


def test_two_processes_never_hold_the_same_mail(folder):
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


def test_errors_wait_in_the_folder_and_are_sent_when_the_relay_is_back(soon, folder, sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost, fallback=folder)
    logger = make_logger(handler)
    sink.stop()
    for letter in "abcabc":
        logger.error("error %s", letter)
    wait_until(lambda: handler.pending == 0)
    stored = mails(folder)

    sink.start()
    wait_until(lambda: sink.occurrences == 6)
    wait_until(lambda: not any(folder.iterdir()))

    assert stored
    assert handler.dropped == 0
    assert {mail.text for mail in sink.mails} == {"error a\n", "error b\n", "error c\n"}
    assert len({mail.record_id for mail in sink.mails}) == len(sink.tried)


def test_a_short_absence_leaves_nothing_in_the_folder(folder, sink, make_handler, make_logger):
    handler = make_handler(sink.mailhost, fallback=folder)
    sink.stop()
    make_logger(handler).error("early")
    wait_until(lambda: handler._sender()._pace.failures >= 3)
    sink.start()
    handler.flush(PATIENCE)

    assert not folder.exists()
    assert sink.occurrences == 1


@pytest.mark.parametrize("trouble", ["a file in its place", "no permission", "full"])
def test_without_room_in_the_folder_errors_wait_in_memory(
    soon, trouble, folder, sink, make_handler, make_logger, capsys, monkeypatch
):
    if trouble == "a file in its place":
        folder.write_text("no folder")
    elif trouble == "no permission":
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
    else:
        monkeypatch.setattr("app_client.delivery.fallback.MAX_FILES", 0)
        monkeypatch.setattr(Fallback.__init__, "__kwdefaults__", {"max_files": 0, "max_bytes": 0})
    handler = make_handler(sink.mailhost, fallback=folder)
    logger = make_logger(handler)
    sink.stop()
    for letter in "abc":
        logger.error("error %s", letter)
    wait_until(lambda: handler._sender()._pace.failures >= 3)
    assert (handler.pending, handler.dropped) == (3, 0)
    sink.start()
    handler.flush(PATIENCE)

    assert sink.occurrences == 3
    assert "the fallback folder does not take it" in capsys.readouterr().err


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 128 KiB, to be filled."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount_tmpfs(disk, "size=128k,mode=0755")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


WORDS = ["".join(letters) for letters in itertools.product("abcdefgh", repeat=4)]


def log_different(logger: logging.Logger, words: list[str]) -> None:
    for word in words:
        logger.error("error %s %s", word, "x" * 1000)


def is_refused(handler: ErrorMailHandler) -> bool:
    """Whether the folder did not take a mail."""
    return "the fallback folder does not take it" in handler._sender()._courier._said


def test_a_full_disk_is_survived_and_every_error_counted(soon, small_disk, sink, make_handler, make_logger):
    """More errors than fit on it and into memory; each is sent, or told as dropped."""
    folder = small_disk / "fallback"
    handler = make_handler(sink.mailhost, fallback=folder, queue_size=20)
    logger = make_logger(handler)
    sink.stop()
    words = iter(WORDS)

    def is_full() -> bool:
        log_different(logger, [next(words)])
        return is_refused(handler)

    wait_until(is_full)
    log_different(logger, more := list(itertools.islice(words, 50)))
    logged = WORDS.index(more[-1]) + 1

    assert 0 < len(mails(folder)) <= 32
    assert handler.dropped >= 30
    assert not list(folder.glob("*.new"))
    sink.start()
    handler.flush(PATIENCE)
    wait_until(lambda: not any(folder.iterdir()))
    logger.error("last")
    handler.flush(PATIENCE)

    assert handler.pending == handler.dropped == 0
    by_id = {mail.record_id: mail for mail in sink.mails}
    assert sum(mail.count + mail.dropped for mail in by_id.values()) == logged + 1


def test_the_folder_is_used_again_as_soon_as_there_is_room(soon, small_disk, make_handler, make_logger):
    folder, filler = small_disk / "fallback", small_disk / "filler"
    with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(1024 * 1024))
    handler = make_handler(("127.0.0.1", closed_port()), fallback=folder)
    log_different(make_logger(handler), WORDS[:5])
    wait_until(lambda: is_refused(handler))
    assert (handler.pending, handler.dropped) == (5, 0)

    filler.unlink()
    wait_until(lambda: handler.pending == 0)

    assert sum(int(path.stem.rpartition("-")[2]) for path in mails(folder)) == 5
    assert handler.dropped == 0


def test_a_disk_that_turned_read_only_is_survived(soon, small_disk, sink, make_handler, make_logger):
    """What was stored before cannot be claimed, either; it is sent when the disk is well again."""
    folder = small_disk / "fallback"
    store(Fallback(folder), count=3)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    handler = make_handler(sink.mailhost, fallback=folder)
    sink.stop()
    log_different(make_logger(handler), WORDS[:5])
    wait_until(lambda: is_refused(handler))
    assert (handler.pending, handler.dropped) == (5, 0)
    sink.start()
    handler.flush(PATIENCE)
    assert sink.occurrences == 5

    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    make_handler(sink.mailhost, fallback=folder)
    wait_until(lambda: not any(folder.iterdir()))

    assert [mail.content for mail in sink.mails].count(b"Subject: Failed\r\n\r\ntext\r\n") == 1


def test_a_mail_cut_off_in_the_midst_of_writing_leaves_nothing_behind(folder):
    """As by a quota."""
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


def test_a_broken_file_is_counted_as_dropped_and_does_not_hold_up_the_others(folder, sink, make_handler, make_logger):
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


def test_a_mail_of_the_folder_that_is_refused_for_good_is_dropped(folder, make_handler):
    relay = Sink(answer=lambda _mail: "554 never").start()
    store(Fallback(folder), count=5)

    handler = make_handler(relay.mailhost, fallback=folder)
    wait_until(lambda: handler.dropped == 5)
    wait_until(lambda: not any(folder.iterdir()))
    relay.stop()


def test_a_crowded_memory_moves_at_once(folder, make_handler, make_logger):
    """Long before the relay is away for long, and before anything has to be dropped."""
    handler = make_handler(("127.0.0.1", closed_port()), fallback=folder, queue_size=20)
    logger = make_logger(handler)

    for word in itertools.islice(itertools.product("abcdefgh", repeat=2), 15):
        logger.error("error %s", "".join(word))
    wait_until(lambda: handler.pending == 0)

    assert handler.dropped == 0
    assert len(mails(folder)) == 15


def test_a_flask_app_names_the_folder_in_its_configuration(soon, folder, sink):
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


def test_a_storm_while_the_relay_comes_and_goes_is_counted_exactly(soon, folder, make_handler, make_logger):
    """Through memory and through the folder, from two handlers that share it; by record id no error counts twice."""
    relay = Sink().start()
    handlers = [make_handler(relay.mailhost, fallback=folder, queue_size=50) for _ in range(2)]
    loggers = [make_logger(handler) for handler in handlers]
    words = ["".join(letters) for letters in itertools.product("abcdef", repeat=3)]
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
        handler.flush(PATIENCE)
    wait_until(lambda: not folder.exists() or not any(folder.iterdir()))
    for handler, logger in zip(handlers, loggers, strict=True):  # its mail tells of what had to be dropped
        logger.error("last")
        handler.flush(PATIENCE)
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


def test_what_waits_survives_the_process_and_is_sent_by_the_next_one_without_an_error_of_its_own(
    folder, sink, make_handler
):
    """Three processes at a time end while the relay is away; two handlers send what they left."""
    sink.stop()
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), "{}:{}".format(*sink.mailhost), str(folder)]
    processes = [
        subprocess.Popen([*command, name], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for name in ("anna", "ben", "cleo")
    ]
    complaints = [process.communicate(timeout=3 * PATIENCE)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert not any("dropped" in complaint for complaint in complaints), complaints

    sink.start()
    handlers = [make_handler(sink.mailhost, fallback=folder) for _ in range(2)]
    wait_until(lambda: not any(folder.iterdir()))

    assert sink.occurrences == 9
    assert len({mail.record_id for mail in sink.mails}) == len(sink.tried)
    assert [handler.dropped for handler in handlers] == [0, 0]
