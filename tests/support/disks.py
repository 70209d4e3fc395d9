"""Small disks and failing disks: real ones where the machine permits it."""

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
    """Mount a file system of that size on `folder`; skip the test if that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount_tmpfs(folder, f"size={megabytes}m,mode=0700")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def mount_tmpfs(folder: Path, options: str) -> None:
    """Mount a tmpfs on `folder`; skip the test if that is not permitted or there is no mount program."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a tmpfs")


def fill(folder: Path) -> Path:
    """Fill the disk; return the file to remove afterwards."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return ballast


class FailingMachine:
    """Makes system calls fail on real files and shifts the clock, in processes that run with `environ`."""

    def __init__(self, folder: Path) -> None:
        """Build the library in `folder`; skip the test if there is no C compiler."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("needs a C compiler")
        library = folder / "faults.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(FAULTS), "-ldl"], check=True)
        self._fault_file = folder / "fault"
        self._clock_file = folder / "clock"
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAULT": str(self._fault_file),
            "CLOCK_OFF_BY": str(self._clock_file),
        }

    def fail(self, call: str, error: int, part: str) -> None:
        """From now on let `call` fail with `error` on every file whose path contains `part`."""
        new = self._fault_file.with_suffix(".new")
        new.write_text(f"{call} {error} {part}\n")
        new.rename(self._fault_file)

    def set_clock(self, seconds: int) -> None:
        """Shift the clock by so many seconds."""
        new = self._clock_file.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._clock_file)

    def recover(self) -> None:
        """Stop failing."""
        self._fault_file.unlink(missing_ok=True)
