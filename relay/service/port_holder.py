"""Which process listens on a TCP port of this machine, as far as this user may know (proc(5), Linux).

/proc/net/tcp names the socket and its user for everybody; which process has the socket open is shown only to the same
user and to root. Nothing here raises: it serves an error message.
"""

from __future__ import annotations

import contextlib
import pwd
from collections.abc import Iterator
from pathlib import Path

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTEN = "0A"
"""The state TCP_LISTEN in these tables."""
_MAX_COMMAND = 60
"""Characters of a command line that are shown."""


def describe_holder(port: int) -> str:
    """Return who listens on `port`: `process 812 (master) of user root`; "" if that cannot be known."""
    sockets = dict(_listening(port))
    if not sockets:
        return ""
    process = next(_processes_with(set(sockets)), None)
    if process is None:
        return f"a process of {_user(next(iter(sockets.values())))}"
    inode, number = process
    return f"process {number} ({_command(number)}) of {_user(sockets[inode])}"


def _listening(port: int) -> Iterator[tuple[str, int]]:
    """Yield the inode and the user of each socket that listens on the port, on whatever address."""
    for table in _TABLES:
        with contextlib.suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9], int(fields[7])


def _processes_with(inodes: set[str]) -> Iterator[tuple[str, int]]:
    """Yield the inode and the process id for each process that has one of these sockets open."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):  # it has ended, or belongs to somebody else
            for link in (folder / "fd").iterdir():
                if inode := wanted.get(str(link.readlink())):
                    yield inode, int(folder.name)


def _command(number: int) -> str:
    """Return the name of a process and what it runs. No further arguments: they may contain a secret."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{number}/cmdline").read_bytes()[:4096].decode("utf-8", "replace")
        name, *arguments = text.rstrip("\0").split("\0")
        shown = " ".join([name.rpartition("/")[2], *_module(arguments)])
        return "".join(each if each.isprintable() else "?" for each in shown)[:_MAX_COMMAND]
    return "?"


def _module(arguments: list[str]) -> list[str]:
    """Return what an interpreter runs: `-m module`, or a script's name; [] for another program."""
    if arguments[:1] == ["-m"]:
        return arguments[:2]
    return [arguments[0].rpartition("/")[2]] if arguments and not arguments[0].startswith("-") else []


def _user(number: int) -> str:
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"
