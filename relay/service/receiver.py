"""The receiver's process: takes mail into the spool. Started by the supervisor, or alone by `relay receive`.

It gets all it needs as plain JSON and imports neither the configuration's library nor
anything of the worker: it must be there at once, and small.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from relay.data_dir import DataDir
from relay.errors import ConfigError, RelayError
from relay.receive import Access, Limits, Receiver
from relay.service import child_protocol, lock
from relay.spool import SpoolWriter

log = logging.getLogger(__name__)


def run(
    order: Mapping[str, Any], bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink | None
) -> None:
    """Be the receiver until a signal (or until the supervisor is gone). Raises RelayError."""
    data_dir = DataDir(Path(order["data_dir"]))
    with lock.hold_lock(data_dir.root, "receiver"):
        uvloop.run(_receive(order, data_dir, bound, supervisor))


async def _receive(
    order: Mapping[str, Any],
    data_dir: DataDir,
    bound: Sequence[socket.socket],
    supervisor: child_protocol.SupervisorLink | None,
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    writer = SpoolWriter.open(data_dir.spool)
    with contextlib.ExitStack() as stack:
        if supervisor:
            supervisor.act = lambda: loop.call_soon_threadsafe(stop.set)
            stack.callback(child_protocol.start_heartbeat(_answers(loop)))
        plain = len(bound) - order["tls_sockets"]
        receiver = Receiver(writer, Limits(**order["limits"]), Access(**order["access"]))
        await receiver.start(bound[:plain], bound[plain:])
        if supervisor:
            supervisor.on_order(_changer(receiver, loop))
        await receiver.run(stop, data_dir.receiver_counters)
    await writer.close()


def _changer(receiver: Receiver, loop: asyncio.AbstractEventLoop) -> Callable[[dict[str, Any]], None]:
    """Return what changes the receiver as a new order says, in the loop, and tells the supervisor whether it could."""

    def change(order: Mapping[str, Any]) -> None:
        try:
            receiver.change(Limits(**order["limits"]), Access(**order["access"]))
        except ConfigError as error:
            log.warning("the receiver goes on as before: %s", error)
            os.write(1, child_protocol.REFUSED)
        else:
            os.write(1, child_protocol.TAKEN)

    def take(order: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(change, order)

    return take


def _answers(loop: asyncio.AbstractEventLoop) -> Callable[[], bool]:
    """Return a question that is answered with yes for as long as the loop turned since it was last asked."""
    turned = threading.Event()
    turned.set()

    def well() -> bool:
        was = turned.is_set()
        turned.clear()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is about to end
            loop.call_soon_threadsafe(turned.set)
        return was

    return well


def be_child(
    order: Mapping[str, Any], bound: Sequence[socket.socket], supervisor: child_protocol.SupervisorLink
) -> int:
    """Be the supervisor's child; return the exit code."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s [%(levelname)s] receiver: %(message)s"
    )
    try:
        run(order, bound, supervisor)
    except RelayError as error:
        log.critical("the receiver cannot work: %s", error)
        return child_protocol.USAGE if isinstance(error, child_protocol.UNUSABLE) else 1
    return 0
