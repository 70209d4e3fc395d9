"""Start a PostgreSQL server for the tests: Debian's programs, a temporary data directory, a Unix socket, no network.

The server runs as long as a pipe from the test process is open. It ends with the tests, even when they are killed.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCRIPT = """
set -e
initdb -D data -U relay -A trust -E UTF8 --locale=C.UTF-8 --no-sync >&2
pg_ctl -D data -l log -w start -o "-c listen_addresses= -k $PWD -c fsync=off -c max_connections=60" >&2
echo ready
cat
pg_ctl -D data -m immediate -w stop >&2
rm -r "$PWD"
"""


def programs() -> Path | None:
    """The folder with the programs of the newest PostgreSQL server; None where none is installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    return next((folder for folder in debian + on_path if (folder / "initdb").exists()), None)


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Start a server with the programs in `folder`. Yields the folder that contains its socket."""
    home = tempfile.mkdtemp(prefix="relay-pg-")
    log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed below
    server = subprocess.Popen(
        ["sh", "-c", _SCRIPT],
        cwd=home,
        env=os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,  # Ctrl-C in the tests does not reach the server
        **_unprivileged(home),
    )
    with log, server:  # leaving the block closes the pipe and waits for the server to end
        assert server.stdout is not None
        if server.stdout.readline() != b"ready\n":
            log.seek(0)
            raise RuntimeError(f"PostgreSQL does not start: {log.read().decode()}")
        yield home


def _unprivileged(home: str) -> dict[str, Any]:
    """Popen arguments for an unprivileged user, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {user.pw_name: user for user in pwd.getpwall()}
    owner = names.get("postgres") or names["nobody"]
    os.chown(home, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
