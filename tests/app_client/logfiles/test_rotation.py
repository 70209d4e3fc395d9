"""Rotation of log files: by size, by time, by logrotate, by several processes, and when it cannot be done."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

import app_client
from tests.support.log_files import MAKERS, messages
from tests.support.paths import ROOT


def test_rotates_by_size_and_keeps_as_many_as_told(tmp_path, make_logger, open_handler):
    path = tmp_path / "app.log"
    logger = make_logger(open_handler(app_client.rotating_file(path, max_bytes=300, keep=2)))

    for number in range(20):
        logger.error("%03d %s", number, "x" * 60)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.log", "app.log.1", "app.log.2"]
    assert messages(path)[-1].startswith("019")
    assert all(file.stat().st_size <= 300 for file in tmp_path.iterdir())


def test_rotates_by_time(tmp_path, make_logger, open_handler):
    """A file from the day before yesterday is set aside by the first record of today."""
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
    """Which renames the file, makes a new one, and later deletes the old one."""
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


def test_a_watched_file_that_cannot_be_opened_again_does_not_hurt_the_app(tmp_path, make_logger, open_handler, capsys):
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
def test_a_file_that_cannot_be_rotated_goes_on_growing(kind, tmp_path, make_logger, open_handler, capsys):
    """A folder stands where the old file should go: no record is lost for it, and it is said once."""
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
    assert capsys.readouterr().err.count("cannot be rotated and goes on growing") == 1


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
    """As the workers of a server do."""
    path = tmp_path / "app.log"
    path.write_text("")
    if kind == "time":  # old enough for every worker to find that it is time
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
    complaints = [worker.communicate("go\n", timeout=60)[1] for worker in workers]
    written = [message for file in tmp_path.iterdir() for message in messages(file)]

    assert complaints == ["", "", ""]
    assert sorted(written) == sorted(f"{name}-{number:03}" for name in "abc" for number in range(300))
    assert len(list(tmp_path.iterdir())) > 1
