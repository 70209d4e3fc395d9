"""The receiver's process: accepts mail into the spool. Started by the supervisor, or alone by `relay receive`.

It gets its configuration as plain JSON and imports neither the configuration's library nor anything of the worker, so
that it starts fast and stays small.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from relay.data_dir import DataDir
from relay.errors import ConfigError, RelayError
from relay.receive import Access, Limits, Receiver
from relay.service import child_protocol, lock, logs
from relay.service.waker import Waker
from relay.spool import SpoolWriter

log = logging.getLogger(__name__)


def run(
    config: Mapping[str, Any], bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink | None
) -> None:
    """Run the receiver until a signal, or until the supervisor is gone.

    `config` is as `receiver_config` makes it, `bound` the listening sockets. Raises RelayError.
    """
    data_dir = DataDir(Path(config["data_dir"]))
    with lock.hold_lock(data_dir.root, "receiver"):
        uvloop.run(_receive(config, data_dir, bound, supervisor))


async def _receive(
    config: Mapping[str, Any],
    data_dir: DataDir,
    bound: Sequence[socket.socket],
    supervisor: child_protocol.SupervisorLink | None,
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    writer = SpoolWriter.open(data_dir.spool)
    waker = Waker(data_dir.wakeup)
    writer.on_change = waker.wake
    with contextlib.ExitStack() as stack:
        if supervisor:
            supervisor.on_supervisor_exit = lambda: loop.call_soon_threadsafe(stop.set)
            stack.callback(child_protocol.start_heartbeat(_loop_is_responsive(loop)))
        plain = len(bound) - config["tls_sockets"]
        receiver = Receiver(writer, Limits(**config["limits"]), Access(**config["access"]))
        await receiver.start(bound[:plain], bound[plain:])
        if supervisor:
            supervisor.on_config(_config_handler(receiver, loop))
        await receiver.run(stop, data_dir.receiver_counters)
    await writer.close()
    waker.close()


def _config_handler(receiver: Receiver, loop: asyncio.AbstractEventLoop) -> Callable[[dict[str, Any]], None]:
    """Return a handler that applies a new configuration in the loop and reports to the supervisor whether it could."""

    def change(config: Mapping[str, Any]) -> None:
        try:
            receiver.change(Limits(**config["limits"]), Access(**config["access"]))
            logs.configure("receiver", **config["log"])
        except ConfigError as error:
            log.warning("the new configuration cannot be used; the old one stays in use: %s", error)
            os.write(1, child_protocol.CONFIG_REJECTED)
        else:
            os.write(1, child_protocol.CONFIG_APPLIED)

    def handle(config: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(change, config)

    return handle


def _loop_is_responsive(loop: asyncio.AbstractEventLoop) -> Callable[[], bool]:
    """Return a function that returns whether the loop has run since the last call."""
    ran = threading.Event()
    ran.set()

    def responsive() -> bool:
        result = ran.is_set()
        ran.clear()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is about to end
            loop.call_soon_threadsafe(ran.set)
        return result

    return responsive


def run_child(
    config: Mapping[str, Any], bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink
) -> int:
    """Run the receiver as a child of the supervisor; return the exit code."""
    try:
        run(config, bound, supervisor)
    except RelayError as error:
        log.critical("cannot run: %s", error)
        return child_protocol.EXIT_CONFIG if isinstance(error, child_protocol.CONFIG_ERRORS) else 1
    return 0
