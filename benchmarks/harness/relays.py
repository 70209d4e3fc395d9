"""A real relay to measure: `relay serve` on free ports, its processes' memory, and a client that sends many mails."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Self

from benchmarks.harness.postfix import free_ports

_ENVELOPE = b"MAIL FROM:<server-error@example.com>\r\nRCPT TO:<you@example.com>\r\nDATA\r\n"
PATIENCE = 900.0
"""Seconds that anything may take on a slow machine."""


class MeasuredRelay:
    """A relay with its state in `folder`, set up by environment variables alone.

    As a context manager it is `relay serve`; `started` runs another of its commands.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        """`settings` by the names that environment variables give them, such as `smtp__tls_cert`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.smtp, self.http = free_ports(2)
        self._folder = folder
        self._log = folder / "relay.log"
        self._settings = {
            "storage__data_dir": self.data,
            "smtp__listen": f"127.0.0.1:{self.smtp}",
            "http__listen": f"127.0.0.1:{self.http}",
            "log__format": "json",
            **settings,
        }

    def started(self, command: str, *, niceness: int = 0, log: str = "relay.log") -> subprocess.Popen[bytes]:
        """Start `relay COMMAND` and return at once; its log goes to the file `log` in the folder."""
        environment = os.environ | {f"RELAY_{name.upper()}": str(value) for name, value in self._settings.items()}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed relay has its bytecode: pip writes it
        arguments = [*(["nice", "-n", str(niceness)] if niceness else []), sys.executable, "-m", "relay", command]
        with (self._folder / log).open("wb") as file:
            return subprocess.Popen(
                arguments, env=environment, cwd=self._folder, stdout=file, stderr=file, stdin=subprocess.DEVNULL
            )

    def __enter__(self) -> Self:
        """Start it; return at once, before it listens."""
        self.began = time.monotonic()
        self._process = self.started("serve")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process of the command, the supervisor."""
        return self._process.pid

    def greeted(self) -> float:
        """Seconds from the start to the greeting of the first client, who tries again and again."""
        self._wait(self._greets, pause=0.002)
        return time.monotonic() - self.began

    def _greets(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.smtp)) as client:
            return client.recv(200).startswith(b"220")
        return False

    def shown(self) -> float:
        """Seconds from the start until the worker's pages answer."""
        self._wait(lambda: self._page("livez") is not None, pause=0.01)
        return time.monotonic() - self.began

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels, 0 where there is none yet."""
        lines = (self._page("metrics") or "").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def received(self) -> int:
        """How many mails the ledger has, by the metrics."""
        return int(self.metric("relay_mails_received_total"))

    def wait_until_received(self, mails: int) -> None:
        """Return once the ledger has so many. Raises TimeoutError, RuntimeError."""
        self._wait(lambda: self.received() >= mails, pause=0.2)

    def child(self, role: str) -> int:
        """The process of `role`."""
        self._wait(lambda: bool(self._children(role)), pause=0.02)
        return self._children(role)[-1]

    def _children(self, role: str) -> list[int]:
        lines = [json.loads(line) for line in self._log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [line["process"] for line in lines if line.get("event") == "child started" and line["child"] == role]

    def _page(self, name: str) -> str | None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.http}/{name}") as answer:
            return str(answer.read(), "utf-8")
        return None

    def _wait(self, done: Callable[[], bool], *, pause: float) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if self._process.poll() is not None:
                raise RuntimeError(f"the relay ended:\n{self._log.read_text('utf-8')[-2000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {PATIENCE:g} s")
            time.sleep(pause)

    def send(self, mails: Iterable[str], connections: int = 16) -> int:
        """Send over kept connections, a mail on each at a time; return how many. Raises RuntimeError at a refusal."""
        sent, rest = 0, iter(mails)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(self.smtp)) for _ in range(connections)]
            while batch := list(islice(rest, connections)):
                pairs = list(zip(clients, batch, strict=False))
                for client, _ in pairs:
                    client.begin()
                for client, mail in pairs:
                    client.content(mail)
                for client, _ in pairs:
                    client.end()
                sent += len(batch)
        return sent


class Client:
    """One connection that stays."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._reply(b"220")
        self._socket.sendall(b"HELO client\r\n")
        self._reply(b"250")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def begin(self) -> None:
        """Send the envelope."""
        self._socket.sendall(_ENVELOPE)

    def content(self, mail: str) -> None:
        """Send the mail once it is wanted."""
        for code in (b"250", b"250", b"354"):
            self._reply(code)
        text = mail.replace("\n", "\r\n").replace("\r\n.", "\r\n..")
        self._socket.sendall(text.encode() + b"\r\n.\r\n")

    def end(self) -> None:
        """Wait for its 250."""
        self._reply(b"250")

    def _reply(self, code: bytes) -> None:
        line = self._lines.readline()
        if not line.startswith(code):
            raise RuntimeError(f"answered {line!r} where {code!r} was due")


def resident(process: int) -> float:
    """MiB that a process has in memory (VmRSS, proc(5)), 0 once it has ended."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


@contextlib.contextmanager
def peaks(relay: MeasuredRelay) -> Iterator[dict[str, float]]:
    """The most that receiver and worker had resident during the block, in MiB, looked at ten times a second."""
    most = {"receiver": 0.0, "worker": 0.0}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            for role, before in most.items():
                most[role] = max(before, resident(relay.child(role)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()
