"""File handlers with real files: the written lines, and the error texts for paths that cannot be used."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

import app_client
from app_client.logfiles.handlers import LogFileError
from tests.support.log_files import LINE, MAKERS, messages
from tests.support.paths import ROOT

each_kind = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
NOBODYS_ID = 65534


@each_kind
def test_one_call_gives_a_handler_at_warning_in_the_documented_format(make, tmp_path, make_logger, open_handler):
    path = tmp_path / "app.log"
    logger = make_logger(open_handler(make(path)))
    logger.setLevel(logging.DEBUG)

    logger.info("too small")
    logger.warning("größer als %d", 3)
    logger.error("a lone surrogate: \udc80")
    first, _ = path.read_text("utf-8").splitlines()

    assert first.endswith(f" WARNING: größer als 3 [in {__file__}:{first.rpartition(':')[2]}")
    assert LINE.fullmatch(first)
    assert messages(path)[1] == r"a lone surrogate: \udc80"


@each_kind
def test_level_and_formatter_can_be_chosen(make, tmp_path, make_logger, open_handler):
    handler = open_handler(make(str(tmp_path / "app.log"), level="ERROR", formatter=logging.Formatter("%(message)s")))
    logger = make_logger(handler)

    logger.warning("too small")
    logger.error("as it is")

    assert (tmp_path / "app.log").read_text() == "as it is\n"


@each_kind
def test_records_are_appended_to_an_existing_file(make, tmp_path, make_logger, open_handler):
    (tmp_path / "app.log").write_text("before\n")

    make_logger(open_handler(make(tmp_path / "app.log"))).error("after")

    assert messages(tmp_path / "app.log") == ["before", "after"]


@each_kind
@pytest.mark.parametrize(
    ("place", "words"),
    [
        (
            "missing/deep/app.log",
            r"the folder .*/missing/deep does not exist: create it, and let (\w+ \()?uid",
        ),
        ("a-file/app.log", r"app\.log cannot be a file: .*/a-file is not a folder\. Choose another path"),
        ("a-file/deep/app.log", r"app\.log cannot be a file: .*/a-file is not a folder\. Choose another path"),
        ("a-folder", r"/a-folder is a folder: name a file in it"),
        ("a-pipe", r"/a-pipe is a pipe or a socket: .*Name a file"),
        ("a-link", r"/a-link is a link to a place that does not exist: /nowhere/app\.log"),
        ("/proc/app.log", r"/proc/app\.log cannot be written: no file can be created in /proc"),
    ],
)
def test_an_unwritable_path_is_refused_at_once(make, place, words, tmp_path):
    (tmp_path / "a-file").touch()
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "a-link").symlink_to("/nowhere/app.log")
    os.mkfifo(tmp_path / "a-pipe")
    before = set(tmp_path.iterdir())

    with pytest.raises(LogFileError, match=words):
        make(tmp_path / place)

    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["size", "time", "watched"])
def test_a_device_is_for_plain_handlers_only(kind, open_handler):
    open_handler(app_client.plain_file("/dev/null"))

    with pytest.raises(LogFileError, match="is a device: it cannot be rotated"):
        MAKERS[kind]("/dev/null")


AS_NOBODY = """
    import os, pwd, sys
    import app_client
    os.setgroups([])
    os.setgid({user})
    os.setuid({user})
    try:
        getattr(app_client, sys.argv[1])(sys.argv[2])
    except app_client.logfiles.handlers.LogFileError as refusal:
        print(refusal)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("maker", "words"),
    [
        (
            "plain_file",
            "theirs.log cannot be written: nobody (uid 65534) may not write to it. Make that user the owner",
        ),
        ("rotating_file", "may not write to it"),
        ("watched_file", "may not write to it"),
    ],
)
def test_a_file_of_another_user_is_refused_with_the_user_name(maker, words, public_path):
    (public_path / "theirs.log").touch(0o644)

    assert words in refused_to_nobody(maker, public_path / "theirs.log")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("maker", ["rotating_file", "timed_file"])
def test_rotation_in_an_unwritable_folder_is_refused(maker, public_path):
    """Writing would work, but the first rotation would fail."""
    (public_path / "ours.log").touch()
    os.chown(public_path / "ours.log", NOBODYS_ID, NOBODYS_ID)

    assert refused_to_nobody("plain_file", public_path / "ours.log") == ""
    assert "nobody (uid 65534) may not rename files in" in refused_to_nobody(maker, public_path / "ours.log")


@pytest.fixture
def public_path():
    """A folder that every user may enter, unlike those of pytest, and that only its owner may change."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def refused_to_nobody(maker: str, path: Path) -> str:
    script = textwrap.dedent(AS_NOBODY).format(user=NOBODYS_ID)
    done = subprocess.run(
        [sys.executable, "-c", script, maker, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: app_client.rotating_file(path, max_bytes=0), "must be at least 1"),
        (lambda path: app_client.rotating_file(path, keep=0), "must be at least 1"),
        (lambda path: app_client.timed_file(path, keep=0), "must be at least 1"),
        (lambda path: app_client.timed_file(path, when="noon"), 'when must be "midnight", "S"'),
        (lambda path: app_client.plain_file(path, level="LOUD"), "Unknown level"),
    ],
    ids=["max_bytes", "keep of size", "keep of time", "when", "level"],
)
def test_wrong_arguments_are_refused(make, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        make(tmp_path / "app.log")


def test_windows_event_log_is_refused_on_other_systems():
    with pytest.raises(LogFileError, match=r"on Windows only: use syslog\(\) or a file"):
        app_client.windows_event_log("yourapplication")


def test_windows_event_log_names_the_missing_package(monkeypatch):
    """The standard handler prints a line and logs nothing."""
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(LogFileError, match="pip install pywin32"):
        app_client.windows_event_log("yourapplication")


def test_a_refusal_is_an_os_error_too(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))

        with pytest.raises(OSError, match="is a pipe or a socket"):
            app_client.plain_file(tmp_path / "socket")
