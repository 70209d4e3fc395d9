"""What the children are told to work by, and how that is read anew while they work (supervisor → children).

Guarantee: an order is made of a configuration that `relay check` calls usable, templates and all; what cannot change
while the sockets and the data directory are held keeps its value, and is named.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from relay.config import Loaded, Settings, load
from relay.errors import ConfigError
from relay.service import logs, networks

log = structlog.get_logger()

FIXED = (("storage", "data_dir"), ("smtp", "listen"), ("smtp", "listen_tls"), ("http", "listen"))
"""Settings that only a restart can change."""
CHECK_WITHIN = 60.0
"""Seconds for `relay check`."""


def receiver_order(settings: Settings, *, tls_sockets: int = 0) -> dict[str, object]:
    """Everything the receiver needs, as plain JSON: it imports nothing that could read a configuration.

    `tls_sockets`: on so many of its sockets, the last ones, TLS begins with the first byte.
    """
    smtp = settings.smtp
    return {
        "data_dir": str(settings.storage.data_dir),
        "tls_sockets": tls_sockets,
        "limits": {
            "hostname": socket.gethostname(),
            "max_size": smtp.max_size,
            "idle_timeout": smtp.idle_timeout.total_seconds(),
            "session_timeout": smtp.session_timeout.total_seconds(),
            "max_connections": smtp.max_connections,
            "max_per_client": smtp.max_per_client,
        },
        "access": {
            "clients": networks.resolve(smtp.clients),
            "proxies": networks.resolve(smtp.proxies),
            "username": smtp.username,
            "password": smtp.password.get_secret_value() if smtp.password else None,
            "auth_in_clear": smtp.auth_in_clear,
            "tls_cert": str(smtp.tls_cert.absolute()) if smtp.tls_cert else "",
            "tls_key": str(smtp.tls_key.absolute()) if smtp.tls_key else "",
        },
    }


def worker_order(tables: Mapping[str, Any]) -> dict[str, object]:
    """What the worker needs: the configuration as tables."""
    return {"tables": dict(tables)}


class Reread:
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
