"""The receiver: listens on the given sockets, publishes its counters and shuts down in order.

The sockets belong to the caller. When this process dies or stops, new clients wait in their backlog for the next
receiver.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from relay.errors import ConfigError
from relay.receive import replies
from relay.receive.admission import Client
from relay.receive.connection import Connection
from relay.receive.counters import Counters, publish
from relay.receive.intake import Intake, Spool
from relay.receive.options import Access, Limits

_BACKLOG = 1024
"""Connections that may arrive in one burst. The kernel silently drops some of those beyond it: it answers the SYN with
a cookie and has no room for the ACK (tcp(7)). Such a client waits for a greeting until it times out."""
_LAST_REPLY_WITHIN = 0.5
"""Seconds for the final reply to reach the client."""
_SPARE_FILES = 64
"""File descriptors for everything but client connections, and for connections that were just refused."""

_log = logging.getLogger(__name__)


class Receiver:
    """Accepts mail from `start` to `stop`, in the running event loop."""

    def __init__(self, spool: Spool, limits: Limits, access: Access | None = None) -> None:
        """Store mails into `spool`; the caller closes it after `stop`. Raises ConfigError (see `Intake`)."""
        limits = replace(limits, max_connections=_within_file_limit(limits.max_connections))
        self._intake = Intake(spool, limits, access or Access())
        self._servers: list[asyncio.Server] = []
        self._uses_implicit_tls = False
        self._publish_failed = False
        self._overdue_task: asyncio.Task[None] | None = None

    @property
    def counters(self) -> Counters:
        """Totals since the start."""
        return self._intake.counters

    async def start(self, sockets: Sequence[socket.socket], tls_sockets: Sequence[socket.socket] = ()) -> None:
        """Accept connections on the bound `sockets`; on `tls_sockets` TLS begins with the first byte.

        Raises ConfigError if there are `tls_sockets` but no certificate.
        """
        if tls_sockets and self._intake.certificate is None:
            raise ConfigError(("smtp.listen_tls needs smtp.tls_cert",))
        self._uses_implicit_tls = bool(tls_sockets)
        for listening in sockets:
            await self._listen(listening, tls_first=False)
        for listening in tls_sockets:
            await self._listen(listening, tls_first=True)
        self._overdue_task = asyncio.create_task(self._close_overdue_connections())

    def change(self, limits: Limits, access: Access) -> None:
        """Apply new limits and access rules; connections stay open. Raises ConfigError and then changes nothing."""
        if self._uses_implicit_tls and not access.tls_cert:
            raise ConfigError(("smtp.listen_tls needs smtp.tls_cert",))
        self._intake.change(replace(limits, max_connections=_within_file_limit(limits.max_connections)), access)

    async def _listen(self, listening: socket.socket, *, tls_first: bool) -> None:
        loop = asyncio.get_running_loop()
        self._servers.append(
            await loop.create_server(
                lambda: Connection(self._intake, loop, tls_first=tls_first), sock=listening, backlog=_BACKLOG
            )
        )

    async def _close_overdue_connections(self) -> None:
        """Close overdue connections once per interval: cheaper than one timer for each, since few ever time out."""
        pause = min(1.0, max(0.02, self._intake.limits.idle_timeout / 8))
        while True:
            await asyncio.sleep(pause)
            self._intake.close_overdue(asyncio.get_running_loop().time())

    async def stop(self) -> None:
        """Stop accepting, let open transactions finish within `stop_within` seconds, then close all connections."""
        for server in self._servers:
            server.close()
        self._intake.stopping = True
        await self._close_and_wait(self._intake.admission.idle(), self._intake.limits.stop_within)
        await self._close_and_wait(self._intake.admission, _LAST_REPLY_WITHIN)
        for connection in tuple(self._intake.connections):
            connection.abort()
        if self._overdue_task is not None:
            self._overdue_task.cancel()
        self._intake.authenticator.close()

    async def _close_and_wait(self, connections: Iterable[Client], seconds: float) -> None:
        """Close `connections` with a reply, then wait at most `seconds` until no connection is open."""
        for connection in connections:
            connection.close_with(replies.STOPPING)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._intake.all_closed.wait(), seconds)

    async def run(self, stop: asyncio.Event, counters_file: Path | None, publish_every: float = 2.0) -> None:
        """Run until `stop` is set, then stop; publish the counters every `publish_every` seconds."""
        while not stop.is_set():
            if counters_file is not None:
                self.publish(counters_file)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), publish_every)
        await self.stop()
        if counters_file is not None:
            self.publish(counters_file)

    def publish(self, path: Path) -> None:
        """Write the counters and the number of tasks in the loop to `path` as JSON.

        A write error costs only the figures. It is logged once until a write succeeds again.
        """
        try:
            tasks = len(asyncio.all_tasks())
            publish(path, self._intake.counters, tasks=tasks, **self._intake.snapshot())
            self._publish_failed = False
        except OSError as error:
            if not self._publish_failed:
                _log.warning("cannot publish the receiver's counters: %s", error.strerror)
            self._publish_failed = True
            with contextlib.suppress(OSError):
                os.utime(path)  # at least update the time: a sign of life that needs no disk space


def _within_file_limit(connections: int) -> int:
    """Raise the limit of open files as far as allowed; return how many of `connections` it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_FILES
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(connections, soft - _SPARE_FILES))
