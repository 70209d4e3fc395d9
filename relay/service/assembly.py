"""Puts the worker's parts together from the settings: where the state lies, who renders, who sends."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket

from relay.compose.render import Renderer
from relay.config import Settings
from relay.data_dir import DataDir


def make_renderer(settings: Settings) -> Renderer:
    """Compile the templates, the user's own first. Raises TemplateError with file and line."""
    return Renderer(settings.templates, zone=settings.time.tz, limits=settings.digest, sender=settings.sender_address)


def worker_name(data_dir: DataDir) -> str:
    """The name of the worker on this data directory, the same over restarts: it may take up what it held when it died.

    Only one worker at a time works there (its lock says so), hence no two live ones ever have the same name.
    """
    file = data_dir.worker_name
    with contextlib.suppress(FileNotFoundError):
        if name := file.read_text("ascii").strip():
            return name
    name = f"{socket.gethostname()}:{secrets.token_hex(6)}"
    with contextlib.suppress(OSError):  # on a full disk it is this life's name alone: what it holds then runs out
        draft = file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as text:
            text.write(name)
        draft.replace(file)
    return name
