"""The lock on the data directory, and whom its files belong to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relay.errors import InUse
from relay.service.lock import NoState, hold_lock, make_private_folder


def test_a_role_is_held_once_and_let_go_of_at_the_end(tmp_path: Path):
    with (
        hold_lock(tmp_path, "worker"),
        pytest.raises(InUse, match=f"process {os.getpid()}"),
        hold_lock(tmp_path, "worker"),
    ):
        pass
    with hold_lock(tmp_path, "worker"), hold_lock(tmp_path, "receiver"):
        assert (tmp_path / "worker.lock").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(NoState, match=r"Not a directory; set storage\.data_dir"):
        make_private_folder(tmp_path / "file" / "data")


def test_a_lock_that_cannot_be_written_is_said_so(tmp_path: Path):
    (tmp_path / "worker.lock").mkdir()

    with pytest.raises(NoState, match="it must belong to this user"), hold_lock(tmp_path, "worker"):
        pass


def test_the_data_directory_is_for_us_alone(tmp_path: Path):
    assert make_private_folder(tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700
