"""The configuration read anew while the children work (SIGHUP → supervisor → children).

Guarantee: an order is made of a configuration that `relay check` calls usable, templates and all; what cannot change
while the sockets and the data directory are held keeps its value, and is named.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import structlog

from relay.config import Loaded, Settings, load
from relay.errors import ConfigError
from relay.service import logs
from relay.service.child_config import receiver_order, worker_order

log = structlog.get_logger()

FIXED = (("storage", "data_dir"), ("smtp", "listen"), ("smtp", "listen_tls"), ("http", "listen"))
"""Settings that only a restart can change."""
CHECK_WITHIN = 60.0
"""Seconds for `relay check`."""


class Reload:
    """Reads the configuration anew, whenever it is called."""

    def __init__(self, loaded: Loaded, config: Path | None, *, tls_sockets: int) -> None:
        """`loaded` is what the relay began with; `config` as given on the command line; `tls_sockets` as above."""
        self._settings = loaded.settings
        self._config = config
        self._tls_sockets = tls_sockets

    async def __call__(self) -> dict[str, dict[str, object]]:
        """Return an order for each child. Raises ConfigError where the configuration is not usable."""
        await self._check()
        tables = self._pinned(load(self._config))
        settings = Settings.model_validate(tables)
        logs.configure(settings.log.format, settings.log.level)
        return {
            "receiver": receiver_order(settings, tls_sockets=self._tls_sockets),
            "worker": worker_order(tables),
        }

    async def _check(self) -> None:
        """Have a process of its own try all of it, so that nothing of it can bring the supervisor down."""
        config = ["--config", str(self._config)] if self._config else []
        command = (sys.executable, "-m", "relay", "check", *config)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=pipe)
        try:
            _, words = await asyncio.wait_for(process.communicate(), CHECK_WITHIN)
        except TimeoutError:
            process.kill()
            raise ConfigError(("`relay check` did not come to an end",)) from None
        if process.returncode:
            raise ConfigError(tuple(words.decode("utf-8", "replace").strip().splitlines()))

    def _pinned(self, found: Loaded) -> dict[str, Any]:
        """The new tables with what cannot change as it was."""
        tables = {name: dict(table) if isinstance(table, dict) else table for name, table in found.tables.items()}
        different = []
        for section, key in FIXED:
            old = getattr(getattr(self._settings, section), key)
            if getattr(getattr(found.settings, section), key) != old:
                different.append(f"{section}.{key}")
                tables.setdefault(section, {})[key] = None if old is None else str(old)
        if different:
            log.warning("these settings stay as they were until a restart", settings=different)
        return tables
