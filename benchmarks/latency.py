"""Latency: how long a client waits for its 250, and what a slow disk costs.

    python -m benchmarks.latency [--json FILE]

64 clients with kept connections at half the rate that they reach; the 99th percentile from final dot to 250 against
that of the sync itself, measured while they send, on the same file system. Then the same receiver with 10 ms added to
each sync (a shim around `relay.spool.segments.sync` in that process, which also takes the time of the whole): group
commit has to make up for it. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import uvloop

from benchmarks.harness.figures import Figure, judged, report
from relay.receive import Limits, Receiver
from relay.spool import SpoolWriter, segments
from relay.spool.disk import sync

CLIENTS = 64
DELAY = 0.010
AT_MOST = 0.020
SHARE = 0.4
TIMES = "sync-times"
_SYNCS = struct.Struct("<Qd")


def main() -> int:
    """Measure, print, judge; or be the receiver that is measured."""
    if len(sys.argv) == 4 and sys.argv[1] == "--serve":
        uvloop.run(serve(Path(sys.argv[2]), float(sys.argv[3])))
        return 0
    return report(__doc__, _measured, options_of=_options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the spool lies")


def _measured(options: argparse.Namespace) -> Iterator[Figure]:
    yield from usual(options.folder)
    yield from slow(options.folder)


def usual(folder: Path) -> Iterator[Figure]:
    """Latency at half the load."""
    with Server(folder, 0.0) as server:
        full = server.load(mails=6000)
        rate = full["mails"] / full["seconds"] / 2
        with Syncs(folder) as syncs:
            half = server.load(mails=int(rate * 8), rate=rate)
    note = f"on {file_system(folder)}"
    yield Figure(name=f"{CLIENTS} clients", value=2 * rate, unit="mails/s")
    yield Figure(name="time to 250 at half that, median", value=half["p50"] * 1e3, unit="ms")
    yield Figure(name="a sync meanwhile, 99th percentile", value=syncs.p99 * 1e3, unit="ms", note=note)
    most = round(max(AT_MOST, 3 * syncs.p99) * 1e3, 1)
    yield judged("time to 250 at half the load, 99th perc.", half["p99"] * 1e3, "ms", most=most)


def slow(folder: Path) -> Iterator[Figure]:
    """Throughput with a slow disk."""
    with Server(folder, DELAY) as server:
        done = server.load(mails=6000)
        sync = server.mean_sync()
    yield Figure(name="a sync with 10 ms added", value=sync * 1e3, unit="ms")
    least = round(SHARE * CLIENTS / sync)
    yield judged("intake with 10 ms added to each sync", done["mails"] / done["seconds"], "mails/s", least=least)


class Server:
    """A receiver in a process of its own, its spool in a new folder."""

    def __init__(self, folder: Path, delay: float) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="latency-", dir=folder)
        self._delay = delay

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.latency", "--serve", self._folder.name, str(self._delay)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._port = int(self._process.stdout.readline())
        return self

    def load(self, *, mails: int, rate: float = 0.0) -> dict[str, float]:
        """Send so many mails over kept connections; what `benchmarks.harness.load` prints."""
        command = [
            sys.executable,
            "-m",
            "benchmarks.harness.load",
            str(self._port),
            "--kept",
            "--pipelined",
            "--clients",
            str(CLIENTS),
        ]
        command += ["--mails", str(mails), "--rate", str(rate)]
        done = subprocess.run(command, check=True, capture_output=True)
        found: dict[str, float] = json.loads(done.stdout)
        assert not found["failures"]
        return found

    def mean_sync(self) -> float:
        """What a delayed sync took so far, in seconds."""
        number, total = _SYNCS.unpack((Path(self._folder.name) / TIMES).read_bytes())
        return float(total / number)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


async def serve(folder: Path, delay: float) -> None:
    """Receive until killed."""
    if delay:
        segments.sync = _delayed(sync, delay, folder / TIMES)  # type: ignore[attr-defined, assignment]
    receiver = Receiver(SpoolWriter.open(folder), Limits())
    sock = socket.create_server(("127.0.0.1", 0), backlog=128)
    await receiver.start([sock])
    print(sock.getsockname()[1], flush=True)
    await asyncio.Event().wait()


def _delayed(sync: Callable[[int], None], delay: float, times: Path) -> Callable[[int], None]:
    """`sync` with `delay` seconds added; `times` always holds how many there were and what they took together."""
    number, total = 0, 0.0
    kept = os.open(times, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC)

    def delayed(file: int) -> None:
        nonlocal number, total
        began = time.perf_counter()
        time.sleep(delay)
        sync(file)
        number, total = number + 1, total + time.perf_counter() - began
        os.pwrite(kept, _SYNCS.pack(number, total), 0)

    return delayed


class Syncs:
    """Measures syncs of 4 KiB on the same file system, a few a second, while something else is measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._times: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
            while not self._stop.wait(0.02):
                file.write(bytes(4096))
                began = time.perf_counter()
                os.fdatasync(file.fileno())
                self._times.append(time.perf_counter() - began)

    @property
    def p99(self) -> float:
        """The 99th percentile, in seconds."""
        return sorted(self._times)[int(len(self._times) * 0.99)]

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def file_system(folder: Path) -> str:
    """What `folder` lies on."""
    done = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
