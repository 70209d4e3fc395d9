"""The supervisor of `relay serve`: starts the receiver and the worker, watches them, replaces one that dies or hangs.

It imports nothing of what the children do, so that no fault of theirs can bring it down.

- Restart: the receiver comes back at once, because clients wait in the listen backlog. Only the worker's pauses grow.
- SIGHUP reloads the configuration: the receiver applies it while it runs, the worker is replaced.
- SIGTERM lets both finish the work at hand, for at most DRAIN_TIMEOUT seconds. A second SIGTERM kills them.

Nothing that got its 250 is lost by any of these.
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
from relay.service.child_process import ChildProcess
from relay.service.child_protocol import CONFIG_APPLIED, CONFIG_REJECTED, EXIT_CONFIG

log = structlog.get_logger()

DRAIN_TIMEOUT = 6.0
"""Seconds the children get to finish; the whole stop takes less than 8 seconds."""
HEARTBEAT_TIMEOUT = 5.0
"""Seconds without a heartbeat after which a child counts as hung."""
START_TIMEOUT = 60.0
"""Seconds a child may take until its first heartbeat."""
STABLE_AFTER = 30.0
"""Seconds after which a child ran long enough that its next death counts as the first."""


class ChildCannotStart(ConfigError):
    """A child ended before its first heartbeat because of its configuration: starting it again would not help."""


@dataclass(kw_only=True)
class Child:
    """One role: its configuration, its process, and how long to wait before the next start."""

    name: str
    """`receiver` or `worker`; also the name of its module in `relay.service`."""
    config: Mapping[str, Any]
    sockets: Sequence[socket.socket]
    pauses: Sequence[float]
    """Seconds to wait after the first, second, … death in a row; the last one repeats."""
    started: ChildProcess | None = None
    """A process of this role that is already started and has its configuration."""
    process: ChildProcess | None = None
    deaths: int = 0
    ever_alive: bool = False
    """Whether any process of this role ever sent a heartbeat."""
    reloads_in_place: bool = False
    """Whether a running process applies a new configuration; otherwise it is replaced."""
    previous: Mapping[str, Any] | None = None
    """The configuration to return to if the new one cannot be used; None once the new one is proven."""
    replacing: bool = False
    """Whether the running process was told to stop so that one with the new configuration can start."""

    async def keep_running(self, stop: asyncio.Event) -> None:
        """Start the process again and again until `stop` is set. Raises ChildCannotStart."""
        while not stop.is_set():
            began = time.monotonic()
            await self._run_once(stop)
            if stop.is_set():
                return
            if self._exit_code() == EXIT_CONFIG and self.previous is not None:
                self._revert()
                continue
            if self.replacing:
                self.replacing, self.deaths = False, 0
                continue
            if self._exit_code() == EXIT_CONFIG and not self.ever_alive:
                raise ChildCannotStart(
                    (f"the {self.name} cannot start with this configuration; its own message is above",)
                )
            self.deaths = 1 if time.monotonic() - began > STABLE_AFTER else self.deaths + 1
            pause = self.pauses[min(self.deaths, len(self.pauses)) - 1]
            log.warning("child ended", child=self.name, code=self._exit_code(), again_in=f"{pause:g}s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _run_once(self, stop: asyncio.Event) -> None:
        self.process, self.started = self.started or self._start(), None
        log.info("child started", child=self.name, process=self.process.pid)
        if stop.is_set():  # the stop came while this child was being started
            self.signal(signal.SIGTERM)
        await self._watch(self.process)

    def _start(self) -> ChildProcess:
        process = ChildProcess(self.name)
        process.send_config(self.config, self.sockets)
        return process

    async def _watch(self, process: ChildProcess) -> None:
        """Read the child's heartbeats until it ends; kill it if they stop."""
        output = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), process.output)
        limit = START_TIMEOUT
        while True:
            try:
                received = await asyncio.wait_for(output.read(4096), limit)
            except TimeoutError:
                log.warning("child sends no heartbeat and is killed", child=self.name, silent_for=f"{limit:g}s")
                self.kill()
                break
            if not received:
                break
            self._on_output(received, first=limit == START_TIMEOUT)
            limit = HEARTBEAT_TIMEOUT
        await asyncio.to_thread(process.wait)

    def _on_output(self, received: bytes, *, first: bool) -> None:
        self.ever_alive = True
        if first or CONFIG_APPLIED in received:
            if self.previous is not None:
                log.info("the new configuration is in use", child=self.name)
            self.previous = None
        elif CONFIG_REJECTED in received and self.previous is not None:
            self._revert()

    def _revert(self) -> None:
        assert self.previous is not None  # noqa: S101 -- asked by the caller
        log.error("the new configuration cannot be used; the old one stays in use", child=self.name)
        self.config, self.previous = self.previous, None

    def reconfigure(self, config: Mapping[str, Any]) -> None:
        """Make the role use another configuration, without losing a connection or the work at hand."""
        if config == self.config:
            return
        self.previous, self.config = self.config, config
        if self.process is None or self.process.returncode is not None:
            return
        if self.reloads_in_place:
            self.process.send_config(config)
        else:
            self.replacing = True
            self.signal(signal.SIGTERM)

    def _exit_code(self) -> int | None:
        return self.process.returncode if self.process else None

    def signal(self, number: int) -> None:
        """Send a signal to the process, if there is one."""
        if self.process:
            self.process.signal(number)

    def kill(self) -> None:
        """Send SIGKILL to the process, if there is one."""
        self.signal(signal.SIGKILL)


ChildConfigs = Mapping[str, Mapping[str, Any]]
"""A configuration for each child, by its name."""


async def supervise(
    children: Sequence[Child], ready: Callable[[], None], reload: Callable[[], Awaitable[ChildConfigs]] | None = None
) -> None:
    """Keep the children running until SIGTERM or SIGINT, then stop them; a second signal kills them at once.

    `ready` is called once the signal handlers are set: whoever waits for it may send a signal. On SIGHUP the children
    get the configurations that `reload` returns; if it raises ConfigError, they keep theirs.
    Raises ChildCannotStart if a child cannot even start with its configuration.
    """
    stop, kill = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (kill if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    hangup = _HangupHandler(children, reload) if reload else None
    if hangup:
        loop.add_signal_handler(signal.SIGHUP, hangup.on_signal)
    ready()
    watchers = {asyncio.create_task(child.keep_running(stop), name=child.name) for child in children}
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({*watchers, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()  # also if a watcher itself failed: then all ends, and the service manager starts the relay again
    stopping.cancel()
    log.info("stopping", within=f"{DRAIN_TIMEOUT:g}s")
    for child in children:
        child.signal(signal.SIGTERM)
    await _finish(watchers, children, kill)


class _HangupHandler:
    """Reloads the configuration on SIGHUP; a SIGHUP during a reload leads to one more reload."""

    def __init__(self, children: Sequence[Child], reload: Callable[[], Awaitable[ChildConfigs]]) -> None:
        self._children = children
        self._read_configs = reload
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def on_signal(self) -> None:
        """Start a reload, or have the running one followed by another."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._reload(), name="reload")

    async def _reload(self) -> None:
        while self._again:
            self._again = False
            try:
                configs = await self._read_configs()
            except ConfigError as error:
                log.warning(
                    "the new configuration is rejected; the old one stays in use", problems=list(error.problems)
                )
                continue
            changed = [child for child in self._children if configs[child.name] != child.config]
            log.info("configuration reloaded", changes=[child.name for child in changed])
            for child in changed:
                child.reconfigure(configs[child.name])


async def _finish(watchers: set[asyncio.Task[None]], children: Sequence[Child], kill: asyncio.Event) -> None:
    """Wait for the children to end; kill those that still run after DRAIN_TIMEOUT seconds or when `kill` is set."""
    killing = asyncio.create_task(kill.wait(), name="kill")
    ending = asyncio.gather(*watchers)
    watched: set[asyncio.Future[Any]] = {ending, killing}
    await asyncio.wait(watched, timeout=DRAIN_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
    for child in children:
        child.kill()
    killing.cancel()
    await ending
