"""The configuration that each child of `relay serve` gets, as plain JSON (supervisor → children).

This module imports almost nothing: it runs before mail can be accepted.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from relay.service import local_networks

if TYPE_CHECKING:
    from relay.config import Settings


def receiver_config(settings: Settings, *, tls_sockets: int = 0) -> dict[str, object]:
    """Return everything the receiver needs as plain values, so that it need not import the configuration's library.

    `tls_sockets`: the number of its sockets, counted from the last, on which TLS begins with the first byte.
    Raises ConfigError if the file of a password cannot be read.
    """
    smtp = settings.smtp
    return {
        "data_dir": str(settings.storage.data_dir),
        "log": _log(settings),
        "tls_sockets": tls_sockets,
        "limits": {
            "hostname": socket.gethostname(),
            "max_size": smtp.max_size,
            "idle_timeout": smtp.idle_timeout.total_seconds(),
            "session_timeout": smtp.session_timeout.total_seconds(),
            "max_connections": smtp.max_connections,
            "max_per_client": smtp.max_per_client,
            "max_memory": smtp.max_memory,
        },
        "access": {
            "clients": local_networks.resolve(smtp.clients),
            "proxies": local_networks.resolve(smtp.proxies),
            "username": smtp.username,
            "password": smtp.secret("password"),
            "auth_in_clear": smtp.auth_in_clear,
            "tls_cert": str(smtp.tls_cert.absolute()) if smtp.tls_cert else "",
            "tls_key": str(smtp.tls_key.absolute()) if smtp.tls_key else "",
        },
    }


def worker_config(settings: Settings, tables: Mapping[str, Any]) -> dict[str, object]:
    """Return what the worker needs: how it logs, and the tables of the configuration for `Settings.model_validate`."""
    return {"log": _log(settings), "tables": dict(tables)}


def _log(settings: Settings) -> dict[str, str]:
    """Return the arguments of `logs.configure`, except for the role."""
    return {"style": settings.log.format, "level": settings.log.level}
