"""`relay.toml` with any bytes gives either settings or a configuration error."""

from __future__ import annotations

import os
from pathlib import Path

from relay.config import load
from relay.errors import ConfigError
from relay.grouping.routing import Router
from relay.grouping.rules import Rules

_FILE = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / f"relay-fuzz-{os.getpid()}.toml"


def check(data: bytes) -> None:
    _FILE.write_bytes(data)
    try:
        settings = load(_FILE, {}).settings
    except ConfigError:
        return
    finally:
        _FILE.unlink()
    Rules(settings.rule)
    Router(settings.routes)
