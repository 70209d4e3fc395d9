"""Package indexes for the tests: whether a real one answers here, and a local one with higher versions of all."""

from __future__ import annotations

import functools
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.setup.locks import Pin, pins

HIGHER = "999"


def write_higher_versions(folder: Path, names: Iterable[str]) -> Path:
    """Write a wheel of version 999 for every name; return the folder, for PIP_FIND_LINKS."""
    folder.mkdir(parents=True)
    for name in names:
        info = f"{name.replace('-', '_')}-{HIGHER}"
        with zipfile.ZipFile(folder / f"{info}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {HIGHER}\n")
            wheel.writestr(f"{info}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}.dist-info/RECORD", "")
    return folder


def download(wanted: Iterable[Pin], folder: Path, *options: str) -> str:
    """Download wheels and check their hashes; return the last line of the error, empty on success."""
    with TemporaryDirectory() as folder_of_lock:
        lock = Path(folder_of_lock) / "wanted.lock"
        lock.write_text("".join(f"{pin.without_marker()}\n" for pin in wanted))
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        done = subprocess.run(
            [sys.executable, *command, *options, "--dest", str(folder), "-r", str(lock)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip gives no reason"])[-1]


@functools.cache
def unreachable() -> str:
    """Return why no package index can be used here; empty if one answers."""
    small = [pin for pin in pins("requirements-dev.lock") if pin.name == "iniconfig"]
    with TemporaryDirectory() as folder:
        return download(small, Path(folder), "--retries", "0", "--timeout", "15")
