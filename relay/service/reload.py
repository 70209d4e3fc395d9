"""Reload the configuration while the children run (SIGHUP → supervisor → children).

Guarantee: a child only gets a configuration that `relay check` accepts, templates included. Settings that cannot change
while the sockets and the data directory are in use keep their values, and the log names them.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import structlog

from relay.config import Loaded, Settings, load
from relay.errors import ConfigError
from relay.service import event_logs
from relay.service.child_config import receiver_config, worker_config

log = structlog.get_logger()

FIXED = (("storage", "data_dir"), ("smtp", "listen"), ("smtp", "listen_tls"), ("http", "listen"))
"""Settings that only a restart can change."""
CHECK_TIMEOUT = 60.0
"""Seconds for `relay check`."""


class ConfigReloader:
    """Reads the configuration again on each call."""

    def __init__(self, loaded: Loaded, config: Path | None, *, tls_sockets: int) -> None:
        """Keep what the reload needs.

        `loaded` is the configuration at the start, `config` its file as given on the command line, and `tls_sockets`
        the number of sockets on which TLS begins with the first byte.
        """
        self._settings = loaded.settings
        self._config = config
        self._tls_sockets = tls_sockets

    async def __call__(self) -> dict[str, dict[str, object]]:
        """Return the configuration of each child, by its name. Raises ConfigError if the new one cannot be used."""
        await self._check()
        found = load(self._config)
        found.require_files()
        tables = self._with_fixed_settings(found)
        settings = Settings.model_validate(tables)
        event_logs.configure("supervisor", settings.log.format, settings.log.level)
        return {
            "receiver": receiver_config(settings, tls_sockets=self._tls_sockets),
            "worker": worker_config(settings, tables),
        }

    async def _check(self) -> None:
        """Run `relay check` in a process of its own, so that a bad configuration cannot bring the supervisor down."""
        config = ["--config", str(self._config)] if self._config else []
        command = (sys.executable, "-m", "relay", "check", *config)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=pipe)
        try:
            _, problems = await asyncio.wait_for(process.communicate(), CHECK_TIMEOUT)
        except TimeoutError:
            process.kill()
            raise ConfigError((f"`relay check` did not finish within {CHECK_TIMEOUT:g} s",)) from None
        if process.returncode:
            raise ConfigError(tuple(problems.decode("utf-8", "replace").strip().splitlines()))

    def _with_fixed_settings(self, found: Loaded) -> dict[str, Any]:
        """Return the new tables, with the old values of the settings that only a restart can change."""
        tables = {name: dict(table) if isinstance(table, dict) else table for name, table in found.tables.items()}
        different = []
        for section, key in FIXED:
            old = getattr(getattr(self._settings, section), key)
            if getattr(getattr(found.settings, section), key) != old:
                different.append(f"{section}.{key}")
                tables.setdefault(section, {})[key] = None if old is None else str(old)
        if different:
            log.warning("only a restart changes these settings; they keep their old values", settings=different)
        return tables
