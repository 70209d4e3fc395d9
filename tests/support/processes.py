"""The relay as users run it: `relay serve` in a process of its own, on free ports, with its state in a folder."""

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

WAIT_LIMIT = 60.0
"""Seconds after which `wait_for` fails."""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = WAIT_LIMIT) -> Any:
    """Return the first true result of `condition`. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s for {what}")


def toml(value: Any) -> str:
    """Return a value as TOML (only the types that the tests use)."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value)


class Relay:
    """One relay. It logs JSON to a file, so that a test can wait for an event."""

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
        """Environment variables for `start`, in addition to those of this process."""
        self._log_start = 0
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
        """Start it, and wait until it listens and its worker runs. The ports stay the same over restarts."""
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "relay", "serve", "--config", str(self.config)],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**self._environ(), **self.environ},
            )
        line = wait_for(lambda: self._exited() or self.last_event("listening"), "the relay to listen")
        assert line is not True, f"the relay ended: {self.log_file.read_text()[-2000:]}"
        self.smtp_port, self.http_port = (int(line[name].rpartition(":")[2]) for name in ("smtp", "http"))
        return self

    def _environ(self) -> dict[str, str]:
        fixed = {
            "RELAY_SMTP__LISTEN": f"127.0.0.1:{self.smtp_port}",
            "RELAY_HTTP__LISTEN": f"127.0.0.1:{self.http_port}",
        }
        return {**os.environ, **(fixed if self.smtp_port else {})}

    def _exited(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines since the last start; every one of them is a JSON object."""
        with self.log_file.open("rb") as file:
            file.seek(self._log_start)
            *lines, _unfinished = file.read().split(b"\n")
        return [json.loads(line) for line in lines]

    def last_event(self, event: str) -> dict[str, Any] | None:
        """Return the last log line of this event, None if there is none yet."""
        return next((line for line in reversed(self.log()) if line.get("event") == event), None)

    def child(self, name: str) -> int:
        """Return the process id of the newest `receiver` or `worker`, 0 if there is none yet."""
        started = [line for line in self.log() if line.get("event") == "child started" and line["child"] == name]
        return started[-1]["process"] if started else 0

    def kill(self, what: str) -> None:
        """Send SIGKILL to `receiver`, `worker` or `supervisor`; does nothing if that process has ended."""
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
        """Send SIGTERM and return the exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)

    def get(self, path: str) -> str:
        """Return one HTTP page of the relay."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as response:
            return response.read().decode()

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
        """Return the result of `relay status --json`, as soon as a relay that has just started has made its ledger."""
        done = wait_for(
            lambda: None if "there is no ledger" in (found := self.run("status", "--json")).stderr else found,
            "the relay to make its ledger",
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        assert self.process
        self.stop()


def send_mail(port: int, text: str = "it broke") -> None:
    """Send one error mail to the relay on `port`. Raises OSError, SMTPException."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail("app@example.com", ["a@example.com"], f"Subject: App Failed\r\n\r\n{text}\r\n")
