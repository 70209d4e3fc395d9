"""The relay as its users run it: `relay serve` in a process of its own, on free ports, with state in a folder."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

PATIENCE = 60.0
"""Seconds after which something that should happen has not."""


def wait_for(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Return the first true answer of `condition`; fail where there is none in time."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {patience:g} s for {what}")


def toml(value: Any) -> str:
    """Write a value as TOML (for the kinds that the tests use)."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value)


class Relay:
    """One relay. Its log is JSON and read from a file, so that what it says can be waited for."""

    def __init__(self, folder: Path, **tables: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "relay.toml"
        self.log_file = folder / "relay.log"
        self.smtp_port = 0
        self.http_port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.environ: dict[str, str] = {}
        """Variables it is started with, besides this process' own."""
        self._seen = 0
        settings: dict[str, Any] = {
            "smtp": {"listen": "127.0.0.1:0"},
            "http": {"listen": "127.0.0.1:0"},
            "storage": {"data_dir": self.data},
            "log": {"format": "json"},
        }
        for name, table in tables.items():
            settings[name] = {**settings[name], **table} if name in settings else table
        self.config.write_text("".join(f"{name} = {toml(value)}\n" for name, value in settings.items()))

    def start(self) -> Self:
        """Start it and wait until it listens and its worker lives; the ports stay the same over restarts."""
        self._seen = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "relay", "serve", "--config", str(self.config)],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**self._environ(), **self.environ},
            )
        line = wait_for(lambda: self._ended() or self.said("listening"), "the relay to listen")
        assert line is not True, f"the relay ended: {self.log_file.read_text()[-2000:]}"
        self.smtp_port, self.http_port = (int(line[name].rpartition(":")[2]) for name in ("smtp", "http"))
        return self

    def _environ(self) -> dict[str, str]:
        fixed = {
            "RELAY_SMTP__LISTEN": f"127.0.0.1:{self.smtp_port}",
            "RELAY_HTTP__LISTEN": f"127.0.0.1:{self.http_port}",
        }
        return {**os.environ, **(fixed if self.smtp_port else {})}

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def log(self) -> list[dict[str, Any]]:
        """What it has said since it was last started."""
        with self.log_file.open("rb") as file:
            file.seek(self._seen)
            lines = file.read().splitlines()
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]

    def said(self, event: str) -> dict[str, Any] | None:
        """The last line of that event, None where there is none yet."""
        return next((line for line in reversed(self.log()) if line.get("event") == event), None)

    def child(self, name: str) -> int:
        """The process id of the newest `receiver` or `worker`."""
        started = [line for line in self.log() if line.get("event") == "child started" and line["child"] == name]
        return started[-1]["process"] if started else 0

    def kill(self, what: str) -> None:
        """SIGKILL `receiver`, `worker` or `supervisor`; one that is already gone is no matter."""
        assert self.process
        number = self.process.pid if what == "supervisor" else self.child(what)
        try:
            if number:
                os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if what == "supervisor":
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)

    def get(self, path: str) -> str:
        """A page of it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run `relay COMMAND` with the same configuration."""
        return subprocess.run(
            [sys.executable, "-m", "relay", *command, "--config", str(self.config)],
            capture_output=True,
            check=False,
            text=True,
            env=self._environ(),
            timeout=60,
        )

    def status(self) -> dict[str, Any]:
        """`relay status --json`."""
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        assert self.process
        self.stop()


def send_mail(port: int, words: str = "it broke") -> None:
    """Send one error mail to the relay on `port`. Raises OSError, SMTPException."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail("app@example.com", ["a@example.com"], f"Subject: App Failed\r\n\r\n{words}\r\n")
