"""Disks that are small, and disks that fail: real ones, where the machine lets us have them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.paths import FAILING

FAULTS = FAILING / "faults.c"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system of that size on `folder`; skips the test where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount_tmpfs(folder, f"size={megabytes}m,mode=0700")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def mount_tmpfs(folder: Path, options: str) -> None:
    """Mount a tmpfs on `folder`; skips the test where that is not permitted, or no program does it."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a tmpfs")


def fill(folder: Path) -> Path:
    """Take all the room there is; returns the file to remove."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return ballast


class FailingMachine:
    """Has calls of the processes that run with `environ` fail on real files, and their clock be wrong."""

    def __init__(self, folder: Path) -> None:
        """Build the library in `folder`; skips the test where there is no C compiler."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("needs a C compiler")
        library = folder / "faults.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(FAULTS), "-ldl"], check=True)
        self._order = folder / "fault"
        self._clock = folder / "clock"
        self.environ = {"LD_PRELOAD": str(library), "FAULT": str(self._order), "CLOCK_OFF_BY": str(self._clock)}

    def fail(self, call: str, error: int, part: str) -> None:
        """From now on `call` fails with `error` on every file whose path holds `part`."""
        new = self._order.with_suffix(".new")
        new.write_text(f"{call} {error} {part}\n")
        new.rename(self._order)

    def set_clock(self, seconds: int) -> None:
        """Let the clock be wrong by so much."""
        new = self._clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._clock)

    def work(self) -> None:
        """All is well again."""
        self._order.unlink(missing_ok=True)
