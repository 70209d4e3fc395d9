"""Listens on sockets it is given, publishes its counters, stops in order.

The sockets belong to whoever handed them over: when this process dies or stops, clients wait
in their backlog for the next one.
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
from relay.receive.limits import Access, Limits

_BACKLOG = 1024
"""As many as may come in one burst: of those beyond it the kernel drops some without a word (it answers their SYN with
a cookie and has no room for their ACK, tcp(7)), and they wait for a greeting until their patience ends."""
_LAST_REPLY_WITHIN = 0.5
"""Seconds for them to get out."""
_SPARE_FILES = 64
"""Descriptors for everything that is no connection, and for those just turned away."""

_log = logging.getLogger(__name__)


class Receiver:
    """Takes mail from `start` to `stop`, in the running event loop."""

    def __init__(self, spool: Spool, limits: Limits, access: Access | None = None) -> None:
        """Store into `spool`, which stays the caller's to close after `stop`. Raises ConfigError (see Reception)."""
        limits = replace(limits, max_connections=_within_file_limit(limits.max_connections))
        self._intake = Intake(spool, limits, access or Access())
        self._servers: list[asyncio.Server] = []
        self._uses_implicit_tls = False
        self._publish_failed = False
        self._overdue_task: asyncio.Task[None] | None = None

    @property
    def counters(self) -> Counters:
        """What happened so far."""
        return self._intake.counters

    async def start(self, sockets: Sequence[socket.socket], tls_sockets: Sequence[socket.socket] = ()) -> None:
        """Accept connections on `sockets`, which are bound already; on `tls_sockets` TLS begins with the first byte.

        Raises ConfigError where there are such and no certificate.
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
        """Go by others from now on, losing no connection. Raises ConfigError, and changes nothing then."""
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
        """Look at everybody's time: cheaper than a timer for each, since time is seldom over."""
        pause = min(1.0, max(0.02, self._intake.limits.idle_timeout / 8))
        while True:
            await asyncio.sleep(pause)
            self._intake.close_overdue(asyncio.get_running_loop().time())

    async def stop(self) -> None:
        """Stop accepting, let transactions under way end within `stop_within` seconds, close all connections."""
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
        """Hang up on `connections`, then wait until nobody is left, at most so long."""
        for connection in connections:
            connection.close_with(replies.STOPPING)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._intake.all_closed.wait(), seconds)

    async def run(self, stop: asyncio.Event, counters_file: Path | None, publish_every: float = 2.0) -> None:
        """Go on until `stop` is set, publishing the counters to `counters_file` every so many seconds; then `stop`."""
        while not stop.is_set():
            if counters_file is not None:
                self.publish(counters_file)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), publish_every)
        await self.stop()
        if counters_file is not None:
            self.publish(counters_file)

    def publish(self, path: Path) -> None:
        """Write the counters to `path` as JSON, and how many tasks the loop has.

        A disk that refuses only costs the figures, and is told once.
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
                os.utime(path)  # at least a sign of life, which needs no room


def _within_file_limit(connections: int) -> int:
    """Raise the limit of open files as far as it goes; return how many connections it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_FILES
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(connections, soft - _SPARE_FILES))
