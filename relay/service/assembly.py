"""Puts the worker's parts together from the settings: where the state lies, who renders, who sends."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from relay.config import Settings
from relay.render import Renderer


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the state lies under the data directory."""

    spool: Path
    parked: Path
    mailbox: Path

    @classmethod
    def under(cls, data_dir: Path) -> Places:
        """The places of one data directory."""
        return cls(spool=data_dir / "spool", parked=data_dir / "parked", mailbox=data_dir / "mailbox")


def make_renderer(settings: Settings) -> Renderer:
    """Compile the templates, the user's own first. Raises TemplateError with file and line."""
    return Renderer(settings.templates, zone=settings.time.tz, limits=settings.digest, sender=settings.sender_address)


def worker_name() -> str:
    """A name for this worker that no other one has or had: leases and claims are under it."""
    return f"{socket.gethostname()}:{secrets.token_hex(6)}"
