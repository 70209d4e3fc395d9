"""Build parts of the worker from the settings: the renderer of the digests, and the worker's stable name."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket

from relay.compose.render import Renderer
from relay.config import Settings
from relay.data_dir import DataDir


def make_renderer(settings: Settings) -> Renderer:
    """Compile the mail templates; the user's own come first. Raises TemplateError with file and line."""
    return Renderer(settings.templates, zone=settings.time.tz, limits=settings.digest, sender=settings.sender_address)


def worker_name(data_dir: DataDir) -> str:
    """Return the name of the worker on this data directory. It survives restarts.

    A restarted worker may therefore take over the leases that it held when it died. The worker's lock allows one
    worker per data directory, so no two running workers have the same name.
    """
    file = data_dir.worker_name
    with contextlib.suppress(FileNotFoundError):
        if name := file.read_text("ascii").strip():
            return name
    name = f"{socket.gethostname()}:{secrets.token_hex(6)}"
    # On a full disk the name lasts for this process only, and its leases expire after it.
    with contextlib.suppress(OSError):
        draft = file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as text:
            text.write(name)
        draft.replace(file)
    return name
