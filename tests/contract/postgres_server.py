"""A PostgreSQL server of the tests' own: Debian's programs, a folder that goes afterwards, no network."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def programs() -> Path | None:
    """The folder that holds a server's programs, the newest version's first; None where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    return next((folder for folder in debian + on_path if (folder / "initdb").exists()), None)


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Start a server with the programs in `folder`; gives the path of the folder with its socket."""
    home = Path(tempfile.mkdtemp(prefix="relay-pg-"))
    server = _Server(folder, home)
    try:
        server.start()
        yield str(home)
        server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


class _Server:
    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._home = home
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:  # the server refuses to be root
            owner = _unprivileged()
            os.chown(home, owner.pw_uid, owner.pw_gid)
            self._user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    def start(self) -> None:
        data = str(self._home / "data")
        self._run("initdb", "-D", data, "-U", "relay", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-c listen_addresses= -k {self._home} -c fsync=off -c max_connections=60 -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", data, "-l", str(self._home / "log"), "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._home / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._folder / program), *arguments]
        done = subprocess.run(
            command,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open with the server
            stderr=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            check=False,
            **self._user,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {(done.stderr or b'').decode()}")


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("neither postgres nor nobody exists here, and a server cannot be started as root")
