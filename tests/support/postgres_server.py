"""A PostgreSQL server of the tests' own: Debian's programs, a folder that goes afterwards, no network.

It lives as long as a pipe from the tests is open: it ends with them however they end.
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

_LIFE = """
set -e
initdb -D data -U relay -A trust -E UTF8 --locale=C.UTF-8 --no-sync >&2
pg_ctl -D data -l log -w start -o "-c listen_addresses= -k $PWD -c fsync=off -c max_connections=60" >&2
echo ready
cat
pg_ctl -D data -m immediate -w stop >&2
rm -r "$PWD"
"""


def programs() -> Path | None:
    """The folder that holds a server's programs, the newest version's first; None where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    return next((folder for folder in debian + on_path if (folder / "initdb").exists()), None)


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Start a server with the programs in `folder`; gives the path of the folder with its socket."""
    home = tempfile.mkdtemp(prefix="relay-pg-")
    said = tempfile.TemporaryFile()  # noqa: SIM115 -- closed below
    server = subprocess.Popen(
        ["sh", "-c", _LIFE],
        cwd=home,
        env=os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        start_new_session=True,  # an interrupt of the tests is not the server's
        **_unprivileged(home),
    )
    with said, server:  # which closes the pipe, and waits for the end
        assert server.stdout is not None
        if server.stdout.readline() != b"ready\n":
            said.seek(0)
            raise RuntimeError(f"PostgreSQL does not start: {said.read().decode()}")
        yield home


def _unprivileged(home: str) -> dict[str, Any]:
    """Whom the server runs as, which refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {user.pw_name: user for user in pwd.getpwall()}
    owner = names.get("postgres") or names["nobody"]
    os.chown(home, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
