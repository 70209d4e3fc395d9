"""Latency: how long a client waits for its 250, and what a slow disk costs.

    python -m benchmarks.latency [--json FILE]

64 clients with kept connections at half the rate that they reach; the 99th percentile from final dot to 250 against
that of the sync itself, measured while they send, on the same file system. Then the same receiver with 10 ms added to
each sync (a shim around `relay.spool.log.sync` in that process): group commit has to make up for it. Exit code 1 where
a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import uvloop

from relay.receive import Limits, Receiver
from relay.spool import SpoolWriter, log

CLIENTS = 64
DELAY = 0.010
AT_MOST = 0.020
SHARE = 0.4


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the spool lies")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        uvloop.run(serve(options.folder, options.serve))
        return 0
    found = {**usual(options.folder), **slow(options.folder)}
    for name, value in found.items():
        print(f"{name:<34} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return int(not (found["latency met"] and found["group commit met"]))


def usual(folder: Path) -> dict[str, Any]:
    """Latency at half the load."""
    with Server(folder, 0.0) as server:
        full = server.load(mails=6000)
        rate = full["mails"] / full["seconds"] / 2
        with Syncs(folder) as syncs:
            half = server.load(mails=int(rate * 8), rate=rate)
    limit = max(AT_MOST, 3 * syncs.p99)
    return {
        "file system": file_system(folder),
        "mails/s, 64 clients": round(full["mails"] / full["seconds"]),
        "p50 at half that, ms": round(half["p50"] * 1e3, 2),
        "p99 at half that, ms": round(half["p99"] * 1e3, 2),
        "sync's p99 meanwhile, ms": round(syncs.p99 * 1e3, 2),
        "at most, ms": round(limit * 1e3, 2),
        "latency met": half["p99"] <= limit,
    }


def slow(folder: Path) -> dict[str, Any]:
    """Throughput with a slow disk."""
    with Server(folder, DELAY) as server:
        done = server.load(mails=6000)
    rate, wanted = done["mails"] / done["seconds"], SHARE * CLIENTS / DELAY
    return {
        "mails/s with 10 ms a sync": round(rate),
        "at least, mails/s": round(wanted),
        "group commit met": rate >= wanted,
    }


class Server:
    """A receiver in a process of its own, its spool in a new folder."""

    def __init__(self, folder: Path, delay: float) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="latency-", dir=folder)
        self._delay = delay

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.latency", "--folder", self._folder.name]
        self._process = subprocess.Popen([*command, "--serve", str(self._delay)], stdout=subprocess.PIPE)
        assert self._process.stdout
        self._port = int(self._process.stdout.readline())
        return self

    def load(self, *, mails: int, rate: float = 0.0) -> dict[str, float]:
        """Send so many mails over kept connections; what `benchmarks.load` prints."""
        command = [
            sys.executable,
            "-m",
            "benchmarks.load",
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

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


async def serve(folder: Path, delay: float) -> None:
    """Receive until killed."""
    if delay:
        real = log.sync

        def delayed(number: int) -> None:
            time.sleep(delay)
            real(number)

        log.sync = delayed
    receiver = Receiver(SpoolWriter.open(folder), Limits())
    sock = socket.create_server(("127.0.0.1", 0), backlog=128)
    await receiver.start([sock])
    print(sock.getsockname()[1], flush=True)
    await asyncio.Event().wait()


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
