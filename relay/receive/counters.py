"""Totals since the receiver started, published as a JSON file for the worker's metrics."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from relay.model.histogram import REPLY_BOUNDS, Histogram

_KEYS = {"unknown_clients": "strangers", "unexpected_errors": "surprises"}
"""Fields whose published key differs: a worker of an earlier release may read the file."""


@dataclass(slots=True, kw_only=True)
class Counters:
    """Totals since the start, except for `connections`."""

    mails: int = 0
    """Mails answered with 250."""
    mail_bytes: int = 0
    """Size of those mails as sent."""
    cut: int = 0
    """Mails of which only both ends were kept."""
    counted: int = 0
    """Mails of which only the count was kept, because the disk was full."""
    connections: int = 0
    """Connections open now."""
    connections_total: int = 0
    turned_away: int = 0
    """Connections closed because there were too many."""
    unknown_clients: int = 0
    """Connections from clients outside the allowed networks."""
    handshakes_failed: int = 0
    timeouts: int = 0
    unexpected_errors: int = 0
    """Commands that failed with an unexpected error."""
    refused: dict[str, int] = field(default_factory=dict)
    """Replies of 4xx and 5xx by their code."""
    reply_seconds: Histogram = field(default_factory=lambda: Histogram(REPLY_BOUNDS))
    """Seconds from the end of a mail's content to its 250."""

    def count_reply(self, reply: bytes) -> None:
        """Count a reply of 4xx or 5xx."""
        code = reply[:3].decode("ascii")
        self.refused[code] = self.refused.get(code, 0) + 1


def publish(path: Path, counters: Counters, **more: Any) -> None:
    """Write all counters and `more` to `path` as one JSON object, atomically for readers. Raises OSError."""
    values = {_KEYS.get(name, name): value for name, value in asdict(counters).items()}
    text = json.dumps({"pid": os.getpid(), **values, **more})
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
