"""Rotation of log files: by size, by time, by logrotate, by several processes, and failures."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

import app_client
from tests.support.log_files import MAKERS, messages
from tests.support.paths import ROOT


def test_rotates_by_size_and_retains_the_configured_number(tmp_path, make_logger, open_handler):
    path = tmp_path / "app.log"
    logger = make_logger(open_handler(app_client.rotating_file(path, max_bytes=300, keep=2)))

    for number in range(20):
        logger.error("%03d %s", number, "x" * 60)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.log", "app.log.1", "app.log.2"]
    assert messages(path)[-1].startswith("019")
    assert all(file.stat().st_size <= 300 for file in tmp_path.iterdir())


def test_rotates_by_time(tmp_path, make_logger, open_handler):
    """The first record of today rotates a file from an earlier day."""
    path = tmp_path / "app.log"
    path.write_text("old\n")
    os.utime(path, (1714550000, 1714550000))
    make_logger(open_handler(app_client.timed_file(path))).error("new")

    [old] = [file for file in tmp_path.iterdir() if file != path]
    assert re.fullmatch(r"app\.log\.2024-0[45]-\d\d", old.name)
    assert messages(old) == ["old"]
    assert messages(path) == ["new"]


@pytest.mark.parametrize("kind", ["watched", "size", "time"])
def test_follows_logrotate(kind, tmp_path, make_logger, open_handler):
    """It renames the file, creates a new one, and later deletes the old one."""
    path = tmp_path / "app.log"
    logger = make_logger(open_handler(MAKERS[kind](path)))

    logger.error("one")
    path.rename(tmp_path / "app.log.1")
    logger.error("two")
    path.rename(tmp_path / "app.log.2")
    path.touch()
    logger.error("three")
    path.unlink()
    logger.error("four")

    assert messages(tmp_path / "app.log.1") == ["one"]
    assert messages(tmp_path / "app.log.2") == ["two"]
    assert messages(path) == ["four"]


def test_a_watched_file_that_cannot_be_reopened_raises_nothing(tmp_path, make_logger, open_handler, capsys):
    folder = tmp_path / "logs"
    folder.mkdir()
    logger = make_logger(open_handler(app_client.watched_file(folder / "app.log")))
    folder.rename(tmp_path / "gone")

    logger.error("nowhere")
    (tmp_path / "gone").rename(folder)
    logger.error("back")

    assert "FileNotFoundError" in capsys.readouterr().err
    assert messages(folder / "app.log") == ["back"]


@pytest.mark.parametrize("kind", ["size", "time"])
def test_a_file_that_cannot_be_rotated_keeps_growing(kind, tmp_path, make_logger, open_handler, capsys):
    """A folder has the name of the old file: no record is lost, and the problem is reported once."""
    path = tmp_path / "app.log"
    handler = open_handler(MAKERS[kind](path))
    handler.maxBytes = 100
    handler.rolloverAt = 1714550000
    handler.namer = lambda _default: str(tmp_path / "taken")
    (tmp_path / "taken" / "not empty").mkdir(parents=True)
    logger = make_logger(handler)

    for number in range(5):
        logger.error("%d %s", number, "x" * 60)

    assert [message[0] for message in messages(path)] == list("01234")
    assert capsys.readouterr().err.count("cannot be rotated and keeps growing") == 1


WORKER = """
    import logging, sys
    import app_client
    kind, path, name = sys.argv[1:]
    if kind == "size":
        handler = app_client.rotating_file(path, max_bytes=4000, keep=1000)
    else:
        handler = app_client.timed_file(path, when="S", keep=1000)
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    sys.stdin.readline()
    for number in range(300):
        logger.error("%s-%03d", name, number)
"""


@pytest.mark.parametrize("kind", ["size", "time"])
def test_several_processes_rotate_one_file_and_no_line_is_lost(kind, tmp_path):
    """Like the workers of a server."""
    path = tmp_path / "app.log"
    path.write_text("")
    if kind == "time":  # old enough that every worker wants to rotate
        os.utime(path, (1714550000, 1714550000))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), kind, str(path), name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    errors = [worker.communicate("go\n", timeout=60)[1] for worker in workers]
    written = [message for file in tmp_path.iterdir() for message in messages(file)]

    assert errors == ["", "", ""]
    assert sorted(written) == sorted(f"{name}-{number:03}" for name in "abc" for number in range(300))
    assert len(list(tmp_path.iterdir())) > 1
