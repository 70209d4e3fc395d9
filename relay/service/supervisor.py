"""`relay serve`: starts the receiver and the worker, watches them, replaces the one that dies or hangs.

It imports nothing of what they do, so that nothing of theirs can bring it down. The
receiver comes back at once, because clients wait in the backlog; only the worker's pauses
grow. SIGHUP has them work by the configuration as it is then: the receiver takes it while it
runs, the worker is replaced. SIGTERM lets both finish what is under way (DRAIN seconds at most), a second one
ends them on the spot; nothing that got its 250 is lost either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from relay.errors import ConfigError
from relay.service.child_process import Process
from relay.service.child_protocol import REFUSED, TAKEN, USAGE

log = structlog.get_logger()

DRAIN = 6.0
"""Seconds the children get to finish; with the rest of stopping it stays below 8."""
SILENCE = 5.0
"""Seconds without a sign of life after which a child is taken for hung."""
START = 60.0
"""Seconds a child may take until its first sign of life."""
STEADY = 30.0
"""Seconds a child must have lived for its next death to count as the first."""


class Unstartable(ConfigError):
    """A child ended before its first sign of life because of its configuration: starting it again would not help."""


@dataclass(kw_only=True)
class Child:
    """One role: how to start it, and how long to wait before doing so again."""

    name: str
    """`receiver` or `worker`: also the module of `relay.service` that is it."""
    order: Mapping[str, Any]
    sockets: Sequence[socket.socket]
    pauses: Sequence[float]
    """Seconds to wait after the first, second, … death in a row; the last one repeats."""
    begun: Process | None = None
    """A process of this role that has its order already."""
    process: Process | None = None
    deaths: int = 0
    lived: bool = False
    """Whether any process of this role ever gave a sign of life."""
    changes: bool = False
    """Whether a running process takes a new order; one that does not is replaced."""
    former: Mapping[str, Any] | None = None
    """The order to go back to where the one at hand turns out to be unusable; None once it has proved good."""
    replaced: bool = False
    """Whether the process at hand was told to make room for the next one."""

    async def keep_running(self, stop: asyncio.Event) -> None:
        """Start it again and again until `stop` is set."""
        while not stop.is_set():
            began = time.monotonic()
            await self._live(stop)
            if stop.is_set():
                return
            if self._code() == USAGE and self.former is not None:
                self._go_back()
                continue
            if self.replaced:
                self.replaced, self.deaths = False, 0
                continue
            if self._code() == USAGE and not self.lived:
                raise Unstartable((f"the {self.name} cannot start with this configuration; its own words stand above",))
            self.deaths = 1 if time.monotonic() - began > STEADY else self.deaths + 1
            pause = self.pauses[min(self.deaths, len(self.pauses)) - 1]
            log.warning("child ended", child=self.name, code=self._code(), again_in=f"{pause:g}s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _live(self, stop: asyncio.Event) -> None:
        self.process, self.begun = self.begun or self._start(), None
        log.info("child started", child=self.name, process=self.process.pid)
        if stop.is_set():  # it was told while this child was being started
            self.signal(signal.SIGTERM)
        await self._watch(self.process)

    def _start(self) -> Process:
        process = Process(self.name)
        process.tell(self.order, self.sockets)
        return process

    async def _watch(self, process: Process) -> None:
        signs = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(signs), process.signs)
        limit = START
        while True:
            try:
                sign = await asyncio.wait_for(signs.read(4096), limit)
            except TimeoutError:
                log.warning("child gives no sign of life and is killed", child=self.name, silent_for=f"{limit:g}s")
                self.kill()
                break
            if not sign:
                break
            self._heard(sign, first=limit == START)
            limit = SILENCE
        await asyncio.to_thread(process.wait)

    def _heard(self, sign: bytes, *, first: bool) -> None:
        self.lived = True
        if first or TAKEN in sign:
            if self.former is not None:
                log.info("the new configuration is at work", child=self.name)
            self.former = None
        elif REFUSED in sign and self.former is not None:
            self._go_back()

    def _go_back(self) -> None:
        assert self.former is not None  # noqa: S101 -- asked by the caller
        log.error("cannot work with the new configuration and goes on with the old one", child=self.name)
        self.order, self.former = self.former, None

    def change(self, order: Mapping[str, Any]) -> None:
        """Have the role work by another order, without losing a connection or what is under way."""
        if order == self.order:
            return
        self.former, self.order = self.order, order
        if self.process is None or self.process.returncode is not None:
            return
        if self.changes:
            self.process.tell(order)
        else:
            self.replaced = True
            self.signal(signal.SIGTERM)

    def _code(self) -> int | None:
        return self.process.returncode if self.process else None

    def signal(self, number: int) -> None:
        """Send a signal to the process, if there is one."""
        if self.process:
            self.process.signal(number)

    def kill(self) -> None:
        """End the process on the spot."""
        self.signal(signal.SIGKILL)


Orders = Mapping[str, Mapping[str, Any]]
"""An order for each child, by its name."""


async def supervise(
    children: Sequence[Child], ready: Callable[[], None], reread: Callable[[], Awaitable[Orders]] | None = None
) -> None:
    """Keep the children running until SIGTERM or SIGINT, then stop them; a second signal ends them at once.

    `ready` is called as soon as the signals are heeded: who waits for its word may send one. On SIGHUP the children get
    the orders that `reread` returns; where it raises ConfigError, they keep theirs.
    Raises Unstartable where a child cannot even begin with its configuration.
    """
    stop, at_once = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (at_once if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    reloading = _Reload(children, reread) if reread else None
    if reloading:
        loop.add_signal_handler(signal.SIGHUP, reloading.begin)
    ready()
    lives = {asyncio.create_task(child.keep_running(stop), name=child.name) for child in children}
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({*lives, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()  # also where a watcher itself failed: better all ends and the service manager starts us anew
    stopping.cancel()
    log.info("stopping", within=f"{DRAIN:g}s")
    for child in children:
        child.signal(signal.SIGTERM)
    await _finish(lives, children, at_once)


class _Reload:
    """Rereads the configuration, once more where it is told so while it does."""

    def __init__(self, children: Sequence[Child], reread: Callable[[], Awaitable[Orders]]) -> None:
        self._children = children
        self._reread = reread
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def begin(self) -> None:
        """What SIGHUP does."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._reload(), name="reload")

    async def _reload(self) -> None:
        while self._again:
            self._again = False
            try:
                orders = await self._reread()
            except ConfigError as error:
                log.warning("the new configuration is refused, the old one stays", problems=list(error.problems))
                continue
            changed = [child for child in self._children if orders[child.name] != child.order]
            log.info("configuration read anew", changes=[child.name for child in changed])
            for child in changed:
                child.change(orders[child.name])


async def _finish(lives: set[asyncio.Task[None]], children: Sequence[Child], at_once: asyncio.Event) -> None:
    """Wait for the children to end; kill what still runs after DRAIN seconds or when told so."""
    impatient = asyncio.create_task(at_once.wait(), name="impatient")
    ending = asyncio.gather(*lives)
    watched: set[asyncio.Future[Any]] = {ending, impatient}
    await asyncio.wait(watched, timeout=DRAIN, return_when=asyncio.FIRST_COMPLETED)
    for child in children:
        child.kill()
    impatient.cancel()
    await ending
