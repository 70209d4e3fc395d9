"""The locks on the data directory, and the modes of its files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relay.errors import InUse
from relay.service.lock import DataDirError, hold_lock, make_private_folder


def test_role_is_locked_once_and_released_at_the_end(tmp_path: Path):
    with (
        hold_lock(tmp_path, "worker"),
        pytest.raises(InUse, match=f"process {os.getpid()}"),
        hold_lock(tmp_path, "worker"),
    ):
        pass
    with hold_lock(tmp_path, "worker"), hold_lock(tmp_path, "receiver"):
        assert (tmp_path / "worker.lock").stat().st_mode & 0o777 == 0o600


def test_folder_that_cannot_be_created_is_an_error_with_advice(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(DataDirError, match=r"Not a directory; set storage\.data_dir"):
        make_private_folder(tmp_path / "file" / "data")


def test_lock_file_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path):
    (tmp_path / "worker.lock").mkdir()

    with pytest.raises(DataDirError, match="it must belong to this user"), hold_lock(tmp_path, "worker"):
        pass


def test_data_directory_is_readable_by_its_owner_only(tmp_path: Path):
    assert make_private_folder(tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700
