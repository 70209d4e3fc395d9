"""What the children are told to work by (supervisor → children).

Imports next to nothing: mail is taken while the supervisor loads the rest of itself.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from relay.service import local_networks

if TYPE_CHECKING:
    from relay.config import Settings


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
            "max_memory": smtp.max_memory,
        },
        "access": {
            "clients": local_networks.resolve(smtp.clients),
            "proxies": local_networks.resolve(smtp.proxies),
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
