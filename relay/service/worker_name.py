"""The stable name of the worker on a data directory: it holds leases, and the state of its upstream belongs to it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from typing import TYPE_CHECKING

from relay.data_dir import DataDir
from relay.model import UpstreamKey

if TYPE_CHECKING:
    from relay.config import Settings


def worker_name(data_dir: DataDir) -> str:
    """Return the name of the worker on this data directory. It survives restarts.

    A restarted worker may therefore take over the leases that it held when it died. The worker's lock allows one
    worker per data directory, so no two running workers have the same name.
    """
    file = data_dir.worker_name
    if name := known_worker_name(data_dir):
        return name
    name = f"{socket.gethostname()}:{secrets.token_hex(6)}"
    # On a full disk the name lasts for this process only, and its leases expire after it.
    with contextlib.suppress(OSError):
        draft = file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as text:
            text.write(name)
        draft.replace(file)
    return name


def known_worker_name(data_dir: DataDir) -> str:
    """Return the name of the worker on this data directory, "" if none ran yet. Nothing is created."""
    try:
        return data_dir.worker_name.read_text("ascii").strip()
    except FileNotFoundError:
        return ""


def upstream_key(settings: Settings) -> UpstreamKey:
    """Return which state of the upstream is that of the worker on this data directory. Nothing is created."""
    worker = known_worker_name(DataDir(settings.storage.data_dir))
    return UpstreamKey(worker=worker, target=settings.upstream.target)
