"""A minimal machine for set-up tests: a copy of the checkout, a Python, a few tools, and no home directory."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.setup.locks import SUPPORTED
from tests.support.paths import ROOT

TOOLS = ("cat", "id", "make", "pwd", "sh", "touch")
"""Everything that a set-up needs besides Python."""
NOT_COPIED = (".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "state")
TIMEOUT = 600
"""Seconds for a set-up."""


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine that the locks support."""

    path: str
    version: str
    """Such as "3.11"."""
    pip: str
    """The version of the pip that comes with it."""

    def __str__(self) -> str:
        return f"Python {self.version}, pip {self.pip}"


_DESCRIBE = """
import ensurepip, os, sys, venv
print("%d.%d" % sys.version_info[:2], ensurepip.version(), os.path.realpath(sys.executable))
"""


@functools.cache
def interpreters() -> list[Interpreter]:
    """Return one interpreter for each Python version and pip on this machine, including the one that runs the tests."""
    folders = [
        Path(sys.base_prefix) / "bin",
        *map(Path, os.environ.get("PATH", "").split(os.pathsep)),
        Path("/usr/bin"),
    ]
    folders += sorted(Path(os.environ.get("PYENV_ROOT", "/nowhere")).glob("versions/*/bin"))
    found: dict[str, Interpreter] = {}
    for path in (folder / f"python{version}" for folder in folders for version in SUPPORTED):
        if path.exists():
            answer = subprocess.run([path, "-I", "-c", _DESCRIBE], capture_output=True, text=True, check=False)
            if answer.returncode == 0:
                version, pip, real = answer.stdout.strip().split(maxsplit=2)  # `path` may be a script that finds it
                each = Interpreter(real, version, pip)
                found.setdefault(str(each), each)
    return [found[name] for name in sorted(found)]


class Machine:
    """A folder with a copy of the checkout, in a path with a space and a non-ASCII character."""

    def __init__(self, folder: Path, *pythons: Interpreter) -> None:
        self.checkout = folder / "a clöne"
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        for tool in TOOLS:
            self.link(tool, shutil.which(tool) or "")
        for each in pythons:
            self.link(f"python{each.version}", each.path)
        shutil.copytree(ROOT, self.checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
        self.python = self.checkout / ".venv" / "bin" / "python"
        self.environ = {
            **_index_settings(),
            "PATH": str(self.bin),
            "HOME": "/dev/null",
        }  # where even root cannot write

    def link(self, name: str, path: str) -> None:
        (self.bin / name).symlink_to(path)

    def script(self, name: str, *lines: str) -> None:
        """Put a program on its PATH."""
        (self.bin / name).write_text("\n".join(["#!/bin/sh", *lines, ""]))
        (self.bin / name).chmod(0o755)

    def run(self, *command: object, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout; its error output is part of stdout, as in a terminal."""
        return subprocess.run(
            list(map(str, command)),
            cwd=self.checkout,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )

    def make(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.bin / "make", *words, **environ)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of the output that is not make's own."""
    lines = [line for line in done.stdout.splitlines() if not re.match(r"make(\[\d+\])?: |\s*$", line)]
    return lines[-1] if lines else ""


def _index_settings() -> dict[str, str]:
    """Return this machine's environment variables for reaching a package index."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_")) or name.lower().endswith(("_proxy", "_ca_bundle"))
    }


def with_links(folder: Path) -> str:
    """Return a value of PIP_FIND_LINKS that adds `folder` to the present one."""
    return " ".join(filter(None, (str(folder), os.environ.get("PIP_FIND_LINKS"))))


def remove(folders: Iterable[Path]) -> None:
    """Remove folders at once: a set-up takes hundreds of megabytes, and pytest keeps temporary files for three runs."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
